"""What the tests share: the real embedded model, pulled once into a data directory that the machine keeps."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from serving import new_home

pytest_plugins = ["postgres"]

# nothing of the developer's own: no keychain is touched, no key of the environment is found, no provider is called
os.environ.setdefault("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
# nor the width of the terminal, which pytest's worker processes have set
for name in [name for name in os.environ if name.endswith("_API_KEY") or name in ("COLUMNS", "LINES")]:
    del os.environ[name]

# several at once: each computes on one processor, or they would wait for each other at every barrier of a step
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


# how fast examples are made, or one is tested, says nothing where other tests share the cores
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

LONGEST = (  # begin first, as several run at once
    "test_specialize.py", "test_app_specialise.py", "test_app_chat.py", "test_bad_input.py", "test_resume.py",
    "test_tune.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def models_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the weights, kept between runs of the tests so that they are downloaded once a machine."""
    kept = os.environ.get("CHAPETA_TEST_CACHE")
    folder = Path(kept) if kept else Path(__file__).parents[1] / ".cache" / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def embedded_model(models_home: Path) -> Path:
    """The GGUF file of the embedded model: the real one, not a small stand-in."""
    given = os.environ.get("CHAPETA_TEST_MODEL")
    if given:
        return Path(given)
    from chapeta.engine import weights

    before = os.environ.get("CHAPETA_HOME")
    os.environ["CHAPETA_HOME"] = str(models_home)
    try:
        with (models_home / ".pulling").open("w") as one_at_a_time:  # the tests run in several processes
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            return weights.ensure("smollm2-135m")
    finally:
        if before is None:
            del os.environ["CHAPETA_HOME"]
        else:
            os.environ["CHAPETA_HOME"] = before


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_home: Path, embedded_model: Path) -> Path:
    """An empty data directory with the embedded model already in it (a link to the one copy)."""
    folder = new_home(tmp_path / "home", models_home)
    monkeypatch.setenv("CHAPETA_HOME", str(folder))
    return folder
