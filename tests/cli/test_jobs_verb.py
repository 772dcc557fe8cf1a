"""The verb `jobs`, on real jobs that fail quickly."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from chapeta import jobs
from chapeta.cli import jobs as verb
from chapeta.errors import BadInput, Missing
from chapeta.stages.run import Settings


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def chapeta_jobs(*words: str) -> None:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args(words))


def queued(data: Path) -> str:
    return jobs.submit("specialize", jobs.specialize_arguments(Settings(str(data / "none.csv"), "desk"))).id


def test_without_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    chapeta_jobs()
    assert capsys.readouterr().out.startswith("no jobs yet")
    chapeta_jobs("run")
    assert capsys.readouterr().out == "no job waits\n"
    chapeta_jobs("list", "--json")
    assert json.loads(capsys.readouterr().out) == {"jobs": []}


def test_the_queue_is_worked_off_and_a_failure_shown(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = queued(data)
    chapeta_jobs("show", number)
    assert capsys.readouterr().out.startswith(f"job {number}: desk, queued\n")
    chapeta_jobs("run", "--json")
    (done,) = json.loads(capsys.readouterr().out)["jobs"]
    assert (done["id"], done["status"]) == (number, "failed")
    assert "does not exist" in done["error"]
    chapeta_jobs("show", number)
    assert "none.csv does not exist" in capsys.readouterr().out
    chapeta_jobs("show", number, "--json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["live"]["stage"] == ""
    assert "chapeta: " in shown["log"]


def test_a_job_is_cancelled(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = queued(data)
    chapeta_jobs("cancel", number)
    assert capsys.readouterr().out == f"job {number}: cancelled\n"
    chapeta_jobs()
    assert capsys.readouterr().out.split()[:3] == [number, "cancelled", "desk"]


def test_words_that_make_no_sense_are_said() -> None:
    with pytest.raises(BadInput, match="needs a job's number"):
        chapeta_jobs("show")
    with pytest.raises(BadInput, match="takes no number"):
        chapeta_jobs("list", "1")
    with pytest.raises(Missing, match="no job 'x'"):
        chapeta_jobs("cancel", "x")
