"""What a run has found, for whoever looks at its folder: figures and verdict, answers side by side, where it is deployed."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from chapeta import deployments
from chapeta.bench.disagreements import CandidateAnswer, Disagreement
from chapeta.bench.results import BenchResult, Verdict
from chapeta.deployments import candidate_from_json
from chapeta.errors import Corrupt, Missing
from chapeta.files import read_json
from chapeta.types import Candidate, Json

ASK_AGAIN = "chapeta bench RUN"


@dataclass(frozen=True, slots=True)
class Found:
    """The figures and the choice. has_report: whether the report with its pictures is there."""

    bench: BenchResult
    verdict: Verdict
    has_report: bool

    @property
    def headline(self) -> str:
        """What to do, in few words."""
        if self.verdict.advice == "get more data":
            return f"Get more data; until then use {self.verdict.use}"
        if self.verdict.advice == "don't tune":
            return f"Don't tune: use {self.verdict.use}"
        return f"Use {self.verdict.use}"


def found(folder: Path) -> Found:
    """What came out of the run in this folder. Raises Missing where it is not so far, Corrupt for damaged files."""
    try:
        bench = BenchResult.from_json(read_json(folder / "bench.json", ASK_AGAIN))
        told = read_json(folder / "verdict.json", "chapeta verdict RUN")
        verdict = Verdict(**{**told, "reasons": tuple(told["reasons"])})
    except (KeyError, TypeError, AttributeError) as error:
        raise Corrupt(f"The figures in {folder} cannot be read ({error}).", "Run the bench again.") from None
    return Found(bench, verdict, (folder / "report.html").exists())


def differences(folder: Path, start: int = 0, count: int = 10) -> tuple[int, list[Disagreement]]:
    """How many test rows candidates differ on, and `count` of them after the first `start`.

    First those that decide, where some are right and others wrong; then those where only the words differ.
    """
    rows: dict[str, Disagreement] = {}
    file = folder / "answers.jsonl"
    if not file.exists():
        raise Missing(f"There are no answers in {folder}.", "Run the bench again.")
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            _add(rows, json.loads(line))
    differing = [row for row in rows.values() if row.decides or len({one.text for one in row.answers}) > 1]
    differing.sort(key=lambda row: not row.decides)
    return len(differing), differing[max(0, start) : max(0, start) + count]


def _add(rows: dict[str, Disagreement], line: Json) -> None:
    said = CandidateAnswer(line["candidate"], line["answer"]["text"], float(line["score"]))
    before = rows.get(line["example"])
    if before is None:
        question = line["messages"][-1][1] if line["messages"] else ""
        rows[line["example"]] = Disagreement(line["example"], question, line["expected"], (said,))
    else:
        rows[line["example"]] = dataclasses.replace(before, answers=(*before.answers, said))


def deployed(folder: Path) -> dict[str, list[str]]:
    """The names under which candidates of this run answer just now, by candidate."""
    try:
        candidates = [candidate_from_json(data) for data in read_json(folder / "candidates.json", ASK_AGAIN)]
    except Missing:
        return {}
    names: dict[str, list[str]] = {}
    for name in deployments.names():
        there = deployments.find(name)
        for candidate in candidates:
            if there is not None and _is_same(there, candidate):
                names.setdefault(candidate.name, []).append(name)
    return names


def _is_same(there: Candidate, candidate: Candidate) -> bool:
    """Whether a deployment is this candidate; it has a copy of the adapter, whose name ends with the adapter's time."""
    if dataclasses.replace(there, adapter=None) != dataclasses.replace(candidate, adapter=None):
        return False
    if not (there.adapter and candidate.adapter):
        return there.adapter == candidate.adapter
    made = Path(candidate.adapter)
    return made.exists() and Path(there.adapter).stem.endswith(f"-{made.stat().st_mtime_ns}")
