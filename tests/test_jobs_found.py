"""What a run has found, read from its folder; and files that were dropped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "cli"))
from command import write_rows

from chapeta import jobs
from chapeta.errors import Missing
from chapeta.jobs.dropped import folder, keep, name_of, run_name
from chapeta.jobs.found import deployed, differences, found
from chapeta.specialize import deploy_candidate, specialize
from chapeta.stages.run import Run, Settings


def test_a_runs_figures_answers_and_deployments(home: Path, tmp_path: Path) -> None:
    settings = Settings(str(write_rows(tmp_path / "desk.csv", 40)), "desk", candidates=("base", "few-shot"))
    run = Run.create(settings)
    with pytest.raises(Missing):
        found(run.folder)
    outcome = specialize(run)
    result = found(run.folder)
    assert (result.bench, result.verdict, result.has_report) == (outcome.bench, outcome.verdict, True)
    assert result.verdict.use in result.headline and result.headline.startswith("Get more data")
    assert deployed(run.folder) == {outcome.verdict.use: ["desk"]}
    deploy_candidate(run, "few-shot", "other")
    assert "other" in deployed(run.folder)["few-shot"]
    total, rows = differences(run.folder, 0, 100)
    assert total == len(rows)
    answers = [json.loads(line) for line in (run.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    texts: dict[str, set[str]] = {}
    for line in answers:
        texts.setdefault(line["example"], set()).add(line["answer"]["text"])
    assert total == sum(len(said) > 1 for said in texts.values())  # labels: other words are another answer
    assert [row.decides for row in rows] == sorted((row.decides for row in rows), reverse=True)
    assert all([one.candidate for one in row.answers] == ["base", "few-shot"] for row in rows)
    assert differences(run.folder, 1, 1) == (total, rows[1:2])


def written(folder: Path, rows: list[tuple[str, str, str, float]]) -> None:
    lines = [
        {"candidate": name, "example": row, "messages": [["user", f"q{row}"]], "expected": "yes",
         "answer": {"text": text}, "score": score}
        for name, row, text, score in rows
    ]  # fmt: skip
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_rows_that_decide_come_before_those_that_differ_in_words(tmp_path: Path) -> None:
    written(
        tmp_path,
        [
            ("base", "1", "yes", 1.0), ("base", "2", "yes", 1.0), ("base", "3", "no", 0.0),
            ("skill", "1", "yes", 1.0), ("skill", "2", "Yes", 1.0), ("skill", "3", "yes", 1.0),
        ],
    )  # fmt: skip
    total, rows = differences(tmp_path)
    assert (total, [row.question for row in rows]) == (2, ["q3", "q2"])
    assert [(one.candidate, one.text, one.score) for one in rows[0].answers] == [
        ("base", "no", 0.0),
        ("skill", "yes", 1.0),
    ]


def test_a_dropped_file_is_kept_once_under_its_name(home: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text("text,label\na,b\n")
    kept = keep(given, "../../My déjà-vu (2).CSV")
    assert kept.parent == folder() and kept.read_text() == given.read_text()
    assert keep(given, "../../My déjà-vu (2).CSV") == kept
    assert name_of(str(kept)) == "My-déjà-vu-2.csv"
    assert run_name(str(kept)) == "my-deja-vu-2"
    given.write_text("text,label\nc,d\n")
    other = keep(given, "My déjà-vu (2).csv")
    assert other != kept and kept.read_text() == "text,label\na,b\n"
    assert keep(given, "...").parent == folder()
    assert not [file for file in folder().iterdir() if file.name.startswith(".")]
    assert keep(given, "rows.jsonl.gz").name.endswith(".jsonl.gz")
    assert run_name("語.csv") == "run"


def test_a_name_is_free_of_runs_and_of_jobs_that_wait(home: Path, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "desk.csv", 20)
    (home / "runs" / "desk").mkdir(parents=True)
    assert run_name(str(file)) == "desk-2"
    jobs.submit("specialize", jobs.specialize_arguments(Settings(str(file), "desk-2", candidates=("base",))))
    assert run_name(str(file)) == "desk-3"
