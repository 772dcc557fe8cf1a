"""The command: help at once, errors on one line with an exit code, nothing heavy imported."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

import pytest
from command import chapeta

from chapeta.cli.main import VERBS


def test_help_lists_every_verb() -> None:
    done = chapeta("--help")
    assert done.returncode == 0
    assert all(f"  {verb}" in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help(verb: str) -> None:
    done = chapeta(verb, "--help")
    assert done.returncode == 0
    assert f"usage: chapeta {verb}" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from chapeta.cli.main import main; main(['--help']);"
        "heavy = {'torch', 'transformers', 'numpy', 'scipy', 'rich', 'xllamacpp', 'gguf'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_help_comes_within_150_ms_of_the_bare_interpreter() -> None:
    """Interleaved, the median of the differences: a loaded machine slows both."""

    def seconds(*command: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        return time.perf_counter() - started

    differences = [seconds("-m", "chapeta.cli.main", "--help") - seconds("-c", "pass") for _ in range(7)]
    assert statistics.median(differences) < 0.150


def test_an_unknown_verb_is_named() -> None:
    done = chapeta("specialise")
    assert done.returncode == 2
    assert "There is no command 'specialise'" in done.stderr


def test_version_and_models_as_json(home: object) -> None:
    assert chapeta("--version").stdout.strip()
    listed = json.loads(chapeta("models", "list", "--json").stdout)
    assert listed["models"][0]["id"] == "smollm2-135m"
