"""The command: help at once, errors on one line with an exit code, nothing heavy imported."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import chapeta, write_rows

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


def test_stages_load_no_statistics_before_they_compute_any(tmp_path: Path) -> None:
    script = (
        "import sys; from chapeta.cli.main import main; main(['split', sys.argv[1]]);"
        "heavy = {'torch', 'transformers', 'scipy.stats', 'scipy.optimize', 'xllamacpp'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "nowhere.csv")]
    environment = {**os.environ, "CHAPETA_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "nowhere.csv does not exist" in done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.alone
def test_help_comes_within_150_ms_of_the_bare_interpreter() -> None:
    """Interleaved, the median of the differences: a loaded machine slows both."""

    def seconds(*command: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        return time.perf_counter() - started

    differences = [seconds("-m", "chapeta.cli.main", "--help") - seconds("-c", "pass") for _ in range(7)]
    assert statistics.median(differences) < 0.150


def test_an_unknown_verb_is_named() -> None:
    done = chapeta("specialyze")
    assert done.returncode == 2
    assert "There is no command 'specialyze'" in done.stderr


def test_the_british_spelling_will_do() -> None:
    assert chapeta("specialise", "--help").returncode == 0


def test_version_and_models_as_json(home: object) -> None:
    assert chapeta("--version").stdout.strip()
    listed = json.loads(chapeta("models", "list", "--json").stdout)
    assert listed["models"][0]["id"] == "smollm2-135m"


def test_runs_are_listed_and_removed(home: Path, tmp_path: Path) -> None:
    assert "no runs yet" in chapeta("runs").stdout
    file = write_rows(tmp_path / "desk.csv")
    assert chapeta("split", str(file)).returncode == 0
    assert [row["name"] for row in json.loads(chapeta("runs", "--json").stdout)["runs"]] == ["desk"]
    assert chapeta("runs", "remove", "desk").returncode == 0
    assert not (home / "runs" / "desk").exists()
    assert file.exists()
    again = chapeta("runs", "remove", "desk")
    assert again.returncode != 0
    assert "There is no run 'desk'" in again.stderr


def test_models_remove_and_list_name_what_is_wrong(home: Path, models_home: Path) -> None:
    for words, said in (
        (("list", "smollm2-135m"), "takes no name"),
        (("remove",), "needs a name"),
        (("remove", "nobody"), "Nothing called 'nobody'"),
    ):
        done = chapeta("models", *words)
        assert done.returncode == 2
        assert said in done.stderr
    (home / "models").unlink()  # the one copy of all tests is not removed
    shutil.copytree(models_home / "models", home / "models")
    removed = json.loads(chapeta("models", "remove", "smollm2-135m", "--json").stdout)
    assert removed == {"removed": "smollm2-135m", "kind": "weights"}
    assert not json.loads(chapeta("models", "list", "--json").stdout)["models"][0]["pulled"]
