"""Where things are kept. One data directory holds all state; environment variables are named here and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "CHAPETA_HOME"
DEFAULT_MODEL = "smollm2-135m"
WHEEL_INDEX_VARIABLE = "PIP_INDEX_URL"


def home() -> Path:
    """The data directory: `CHAPETA_HOME`, else the platform's place for an application's data. Not created here."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("chapeta", appauthor=False))


def models_dir() -> Path:
    """Weights, one folder a model."""
    return home() / "models"


def runs_dir() -> Path:
    """What the stages write, one folder a run."""
    return home() / "runs"


def deployments_dir() -> Path:
    """One file a deployment."""
    return home() / "deployments"
