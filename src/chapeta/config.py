"""Where things are kept. One data directory holds all state; environment variables are named here and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "CHAPETA_HOME"
KEEP_CONTENT_VARIABLE = "CHAPETA_KEEP_CONTENT"
DATABASE_VARIABLE = "CHAPETA_DATABASE_URL"
DEFAULT_MODEL = "smollm2-135m"


def calm_threads() -> None:
    """Lets OpenMP's waiting threads spin only briefly. Has to come before a library that uses OpenMP is loaded.

    They spin for milliseconds by default, at each of hundreds of barriers a step: beside one other busy program on two
    cores llama.cpp took 1,300 ms a token instead of 45, and training 20.7 s a step instead of 4.8 (design/LOG.md).
    """
    if "OMP_WAIT_POLICY" not in os.environ:  # whoever set that has chosen
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def cores() -> int:
    """Processors to compute on: those that this process may use, or as many as `OMP_NUM_THREADS` says, as torch does."""
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if given.isdecimal() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def database_url() -> str:
    """The address of the database: `CHAPETA_DATABASE_URL`, else a SQLite file in the data directory."""
    chosen = os.environ.get(DATABASE_VARIABLE)
    if chosen:
        return chosen
    from urllib.parse import quote

    return f"sqlite:///{quote(str(home() / 'chapeta.sqlite'), safe='/:')}"


def passing_dir() -> Path:
    """Files on their way in or out: uploads that are read, exports that the browser fetches. One folder each."""
    return home() / "passing"


def ledger_journal() -> Path:
    """Where rows of the ledger wait while there is no database to write them to."""
    return home() / "ledger-journal.jsonl"
