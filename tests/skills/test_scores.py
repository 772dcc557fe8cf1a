"""Scores of a skill's versions: kept beside them, one a version and measure, the newest first."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from chapeta.skills import scores, versions
from chapeta.skills.scores import Score

ONE = Score("a" * 64, "desk", "r" * 64, "smollm2-135m", "accuracy", 0.5, 0.3, 0.7, 20, 0, 34.0, 0.0, 100.0)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def test_scores_are_kept_and_the_newest_of_one_kind_stays() -> None:
    again = dataclasses.replace(ONE, value=0.6, at_s=200.0)
    other = dataclasses.replace(ONE, sha256="b" * 64, usd_per_1000_calls=None, at_s=150.0)
    for score in (ONE, again, other):
        scores.keep("triage", score)
    assert scores.scores("triage") == [again, other]
    assert scores.scores("another") == []


def test_only_what_compares_stands_together() -> None:
    other_rows = dataclasses.replace(ONE, rows_sha256="s" * 64, at_s=300.0)
    other_model = dataclasses.replace(ONE, model="openai/gpt", at_s=50.0)
    second = dataclasses.replace(ONE, sha256="b" * 64, at_s=90.0)
    for score in (ONE, other_rows, other_model, second):
        scores.keep("triage", score)
    assert list(scores.series(scores.scores("triage")).values()) == [[other_rows], [ONE, second], [other_model]]


def test_a_damaged_score_hides_no_other_and_no_version(data: Path) -> None:
    scores.keep("triage", ONE)
    (data / "skill-versions/triage/score-broken.json").write_text("{")
    (data / "skill-versions/triage/score-other.json").write_text('{"sha256": "x"}')
    assert scores.scores("triage") == [ONE]
    versions.keep("triage", b"text")
    assert [one.number for one in versions.versions("triage")] == [1]
