"""Scores versions of a skill on a dataset: the same rows, the same model, one version after the other as instructions.

The rows are those that a run with this dataset would hold back for its test, so a Skill that `skills write` made from the
others is not flattered. Answers that a run or an earlier score has brought already are not asked for again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chapeta.bench.answers import AnswerStore, key_of
from chapeta.bench.results import CandidateResult
from chapeta.bench.run import answer_examples
from chapeta.bench.scorers import scorer_for
from chapeta.bench.summary import Answered, summarise
from chapeta.engine.weights import is_local
from chapeta.errors import BadInput
from chapeta.examples import datasets
from chapeta.examples.split import Splits
from chapeta.examples.task import infer_task
from chapeta.gateway.door import Gateway
from chapeta.progress import SILENT, Progress
from chapeta.skills import versions
from chapeta.skills.file import parse_skill
from chapeta.skills.scores import Score, keep
from chapeta.skills.versions import Version
from chapeta.stages.estimate import Approve, Estimate, approve_all
from chapeta.types import Candidate, Example, Task

MOST_ROWS = 300
SAMPLE_ROWS = 32


@dataclass(frozen=True, slots=True)
class Measure:
    """What versions are measured with: the rows that are held back, and the task that the other rows ask for."""

    dataset: str
    model: str
    task: Task
    rows: tuple[Example, ...]

    @property
    def rows_sha256(self) -> str:
        return hashlib.sha256("".join(row.id for row in self.rows).encode()).hexdigest()


def measure_for(dataset: str, model: str, gateway: Gateway, most_rows: int = MOST_ROWS) -> Measure:
    """What a skill can be measured with. Raises BadInput for too few rows, Missing where dataset or model are not there."""
    gateway.candidate(model)
    splits = held_back(dataset, most_rows)
    task = infer_task(splits.train, None, lambda text: gateway.count_tokens(model, text))
    return Measure(dataset, model, task, splits.test)


def held_back(dataset: str, most_rows: int = MOST_ROWS) -> Splits:
    """A dataset as a run would split it, with so many test rows at most. Raises as `measure_for` does."""
    splits = datasets.split(dataset)
    return dataclasses.replace(splits, test=splits.test[:most_rows])


def chosen(name: str, numbers: Sequence[int] = ()) -> list[Version]:
    """The versions of these numbers, the newest without any. Raises BadInput for one that is not there."""
    known = versions.versions(name)
    if not known:
        raise BadInput(f"Skill '{name}' has no version.", "Save it once: `chapeta skills save NAME FILE`.")
    for number in numbers:
        if not 1 <= number <= len(known):
            raise BadInput(f"Skill '{name}' has no version {number}.", f"It has {len(known)}, from 1.")
    return [known[number - 1] for number in dict.fromkeys(numbers)] or known[-1:]


def price(name: str, which: Sequence[Version], measure: Measure, gateway: Gateway, store: AnswerStore) -> Estimate:
    """What it costs at providers; what was answered before is free, and so is whatever this machine answers."""
    model = gateway.candidate(measure.model).model
    if is_local(model):
        return Estimate(0, 0.0, ())
    calls, usd, known_price = 0, 0.0, gateway.price_of(model)
    for version in which:
        candidate = _candidate(name, version, measure, gateway)
        requests = [candidate.render(row.messages) for row in measure.rows]
        keys = [key_of(request, gateway.identity(request)) for request in requests]
        waiting = len(set(keys) - set(store.find(keys)))
        sample = measure.rows[:SAMPLE_ROWS]
        tokens_in = sum(gateway.count_tokens(model, m.content) for r in requests[:SAMPLE_ROWS] for m in r.messages)
        tokens_out = sum(gateway.count_tokens(model, row.answer) for row in sample)
        calls += waiting
        if known_price is not None:
            a_call = (known_price.input * tokens_in + known_price.output * tokens_out) / 1e6 / len(sample)
            usd += waiting * (a_call + known_price.usd_per_call)
    return Estimate(calls, usd, () if known_price is not None or not calls else (measure.model,))


def score_versions(
    name: str, which: Sequence[Version], measure: Measure, gateway: Gateway, store: AnswerStore,
    progress: Progress = SILENT, approve: Approve = approve_all,
) -> list[Score]:  # fmt: skip
    """Lets the model answer the rows with each version, and keeps a score for each, in their order.

    approve: hears before the first call what it will cost, and raises to stop there.
    """
    approve(price(name, which, measure, gateway, store))
    progress.stage("Score")
    scorer = scorer_for(measure.task.kind)
    found = []
    for place, version in enumerate(which):

        def tick(done: int, total: int, note: str, place: int = place, number: int = version.number) -> None:
            progress.advance(place * total + done, len(which) * total, f"version {number}, {note}".rstrip(", "))

        candidate = _candidate(name, version, measure, gateway)
        answers = answer_examples(candidate, measure.rows, gateway, store, tick)
        result = summarise(
            name, measure.task, scorer, measure.rows, [Answered(candidate.name, False, tuple(answers))]
        ).candidates[0]
        found.append(_score(version, measure, result))
        keep(name, found[-1])
    return found


def _candidate(name: str, version: Version, measure: Measure, gateway: Gateway) -> Candidate:
    """The model with this version as its instructions; of a deployment its weights, not its own instructions."""
    text = versions.version_bytes(name, version.sha256)
    skill = parse_skill(text, Path(name) / "SKILL.md", "…")
    return dataclasses.replace(
        gateway.candidate(measure.model), name=f"version {version.number}", decoding=measure.task.decoding,
        system=skill.body, shots=(), retriever=None,
    )  # fmt: skip


def _score(version: Version, measure: Measure, result: CandidateResult) -> Score:
    score = result.score
    return Score(
        sha256=version.sha256, dataset=measure.dataset, rows_sha256=measure.rows_sha256, model=measure.model,
        metric=result.metric, value=score.value, low=score.low, high=score.high, rows=score.n, errors=result.errors,
        tokens_in=result.tokens_in, usd_per_1000_calls=result.usd_per_1000_calls, at_s=round(time.time(), 3),
    )  # fmt: skip
