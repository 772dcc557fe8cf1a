"""Checks a receipt: every file against its hash, every figure against the answers it was computed from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chapeta.bench.results import BenchResult, Estimate
from chapeta.bench.scorers import scorer_for
from chapeta.bench.summary import Answered, Training, summarise
from chapeta.bench.verdict import decide
from chapeta.deployments import constraint_from_json
from chapeta.errors import Corrupt
from chapeta.examples.folder import read_examples
from chapeta.files import read_json, sha256
from chapeta.types import Answer, Json, Task, Usage

TOLERANCE = 1e-9  # of figures: the same sums in the same order; only the last bits may differ between processors


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked: files by hash, answers read, figures recomputed."""

    files: int
    answers: int
    figures: int


def verify(folder: Path) -> Checked:
    """Recomputes everything from the receipt alone, but for the wording of the verdict's reasons.

    Raises Corrupt naming the first file or figure that does not agree.
    """
    facts = read_json(folder / "receipt.json", "chapeta verdict RUN")
    for name, expected in facts["files"].items():
        file = (folder / name).resolve()
        if folder.resolve() not in file.parents or not file.is_file():
            raise Corrupt(f"The receipt names {name}, which is not in {folder}.", "The receipt is incomplete.")
        if sha256(file) != expected:
            raise Corrupt(f"{name} has another hash than the receipt says.", "Someone has changed it since.")
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    stored = read_json(folder / "bench.json", "chapeta bench")
    again = BenchResult.from_json(stored)
    figures = 0
    if again.metric != "judge":  # what a judge said can be hashed, but not computed again
        again = recomputed(folder, facts, rows)
        figures = _compare(stored, json.loads(json.dumps(again.to_json())))
    verdict = decide(again, facts["settings"]["margin"])
    told = read_json(folder / "verdict.json", "chapeta verdict")
    figures += _compare({**told, "reasons": []}, json.loads(json.dumps({**verdict.to_json(), "reasons": []})))
    return Checked(len(facts["files"]), len(rows), figures)


def recomputed(folder: Path, facts: Json, rows: list[Json]) -> BenchResult:
    """The bench's figures from the answers."""
    task = facts["task"]
    the_task = Task(task["kind"], constraint_from_json(task["constraint"]), task["max_answer_tokens"])
    examples = read_examples((folder / "test.jsonl").read_bytes())
    general = {g["model"]: g for g in facts["general"]}
    candidates = {c["name"]: c for c in read_json(folder / "candidates.json", "chapeta bench")}
    answered = []
    for name in facts["candidates"]:
        mine = {row["example"]: row for row in rows if row["candidate"] == name}
        own = general.get(candidates[name]["model"]) if candidates[name]["adapter"] else None
        answers = tuple(_answer(mine[example.id]["answer"]) for example in examples)
        change = Estimate(**own["change"]) if own else None
        answered.append(
            Answered(name, bool(candidates[name]["adapter"]), answers, change, own["kl_nats"] if own else None)
        )
    trained = facts["training"].values()
    training = Training(sum(t["seconds"] for t in trained), 0.0, max(t["rows"] for t in trained)) if trained else None
    stored = BenchResult.from_json(read_json(folder / "bench.json", "chapeta bench"))
    scorer = scorer_for(task["kind"], stored.metric)
    train = read_examples((folder / "train.jsonl").read_bytes())
    made = summarise(
        stored.task, the_task, scorer, examples, answered, train, training, stored.general_base, facts["notes"]
    )
    return dataclasses.replace(made, notes=stored.notes)


def _answer(data: Json) -> Answer:
    return Answer(**{**data, "usage": Usage(**data["usage"])})


def _compare(stored: Json, again: Json) -> int:
    """Number of figures that agree. Raises Corrupt at the first that does not."""
    count = 0
    for path, value, other in _leaves("", stored, again):
        same = (
            abs(value - other) <= TOLERANCE if isinstance(value, float) and isinstance(other, float) else value == other
        )
        if not same:
            raise Corrupt(
                f"{path} is {value} in the receipt; recomputed it is {other}.",
                "The figures do not follow from the answers.",
            )
        count += 1
    return count


def _leaves(path: str, stored: object, again: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(stored, dict) and isinstance(again, dict) and stored.keys() == again.keys():
        for key in stored:
            yield from _leaves(f"{path}.{key}" if path else key, stored[key], again[key])
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for place, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from _leaves(f"{path}[{place}]", one, other)
    else:
        yield path, stored, again
