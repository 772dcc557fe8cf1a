"""The bench stage: all candidates answer the test rows, the general suite shows what tuning cost, figures come out.

Under a time limit, every candidate first answers the same few rows; from the time that took follows how many test rows
fit, the same for all. The rows are in random order, so fewer of them widen the intervals and bend nothing.
"""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from chapeta.bench.answers import AnswerStore
from chapeta.bench.flexibility import Flexibility, flexibility
from chapeta.bench.flexibility import requests as general_requests
from chapeta.bench.general import GeneralItem, load_suite
from chapeta.bench.results import BenchResult
from chapeta.bench.run import Tick, answer_examples, answer_requests
from chapeta.bench.scorers import scorer_for
from chapeta.bench.summary import Answered, Training, summarise
from chapeta.deployments import candidate_to_json
from chapeta.engine import weights
from chapeta.examples.split import Splits
from chapeta.files import read_json, sha256, write_atomic, write_json
from chapeta.gateway.door import Gateway
from chapeta.progress import SILENT, Progress
from chapeta.stages.candidates import asker
from chapeta.stages.run import Run, fingerprint
from chapeta.stages.tune import Tuned, needs_torch
from chapeta.types import Answer, Candidate, Example, Labels, Message, Task

PROBE_ROWS = 12
LIMITED_ITEMS = 47  # of the general suite, under a time limit
LEAST_ROWS = 40  # even under a time limit that is too short for them
KL_ITEMS = 48
AT_PROVIDERS = (
    "Local candidates are held to the labels or the schema; providers are asked for the schema, and a label counts "
    "whatever its case, quotes or full stop."
)
CONSTRAINED = (
    "Closed labels and JSON are decoded under constraint for every candidate alike: none loses by format alone."
)


@dataclass(frozen=True, slots=True)
class General:
    """What tuning one model cost in general ability. kl_nats: mean per answer token."""

    model: str
    flexibility: Flexibility
    kl_nats: float


@dataclass(frozen=True, slots=True)
class Benched:
    """The figures, and what they were computed from."""

    result: BenchResult
    task: Task
    rows: tuple[Example, ...]
    candidates: tuple[Candidate, ...]
    answered: tuple[Answered, ...]
    general: tuple[General, ...]


def bench_stage(
    run: Run, task: Task, splits: Splits, candidates: Sequence[Candidate], tuned: Sequence[Tuned], gateway: Gateway,
    store: AnswerStore, progress: Progress = SILENT, deadline: float | None = None,
) -> Benched:  # fmt: skip
    """Answers, scores and compares. `deadline`: time.monotonic() by which to be done."""
    suite = _suite(run.settings.general_items or (LIMITED_ITEMS if deadline is not None else None))
    general = tuple(_general(t, task, suite, gateway, store, progress) for t in tuned)
    progress.stage("Bench")
    rows = _rows_that_fit(candidates, _shuffled(splits.test, run.settings.seed), gateway, store, progress, deadline)
    answered = []
    for place, candidate in enumerate(candidates):
        tick = _part(progress, candidate.name, place, len(candidates))
        answers = answer_examples(candidate, rows, gateway, store, tick)
        answered.append(_answered(candidate, answers, general))
    scorer = scorer_for(
        task.kind, run.settings.metric, asker(gateway, run.settings.judge) if run.settings.judge else None
    )
    training = Training(sum(t.result.seconds for t in tuned), 0.0, len(splits.train)) if tuned else None
    notes = [CONSTRAINED] if task.constraint else []
    if task.constraint and not all(weights.is_local(c.model) for c in candidates):
        notes = [AT_PROVIDERS]
    at_once = max(gateway.concurrency(c.model) for c in candidates)
    notes.append(f"Latency is that of an answer while up to {at_once} questions are asked at once.")
    for made in tuned:
        planned, wanted = made.result.planned_epochs, made.recipe.recipe.epochs
        if not made.is_whole:
            notes.append(
                f"Training had {planned:.2g} of {wanted:g} epochs in the time limit; more may make tuning win."
            )
    if tuned and len(suite) < len(load_suite()):
        notes.append(
            f"General ability was measured with {len(suite)} of the general suite's {len(load_suite())} items."
        )
    if len(rows) < len(splits.test):
        notes.append(f"{len(rows)} of {len(splits.test)} test rows fit the time limit; more rows narrow the intervals.")
    general_base = general[0].flexibility.base if general else None
    result = summarise(run.settings.name, task, scorer, rows, answered, splits.train, training, general_base, notes)
    benched = Benched(result, task, rows, tuple(candidates), tuple(answered), general)
    _keep(run, benched)
    return benched


def _suite(items: int | None) -> tuple[GeneralItem, ...]:
    """So many items of the general suite, at even distances: each group keeps its share."""
    whole = load_suite()
    count = len(whole) if items is None else min(items, len(whole))
    return tuple(whole[number * len(whole) // count] for number in range(count))


def _part(progress: Progress, name: str, place: int, parts: int) -> Tick:
    """A listener for one of several equal parts of a stage."""
    return lambda done, total, note: progress.advance(place * total + done, parts * total, f"{name}, {note}")


def _answered(candidate: Candidate, answers: Sequence[Answer], general: Sequence[General]) -> Answered:
    own = next((g for g in general if g.model == candidate.model), None) if candidate.adapter else None
    change = own.flexibility.change if own else None
    return Answered(candidate.name, bool(candidate.adapter), tuple(answers), change, own.kl_nats if own else None)


def _rows_that_fit(
    candidates: Sequence[Candidate], test: Sequence[Example], gateway: Gateway, store: AnswerStore, progress: Progress,
    deadline: float | None,
) -> tuple[Example, ...]:  # fmt: skip
    """All test rows, or under a deadline the first so many of them, by the time that the first few took."""
    if deadline is None:
        return tuple(test)
    probe = tuple(test[:PROBE_ROWS])
    seconds = 0.0
    for place, candidate in enumerate(candidates):
        progress.advance(place, len(candidates), f"measuring {candidate.name}")
        answer_examples(candidate, probe[:1], gateway, store)  # loads the adapter, computes the shared prompt
        started = time.monotonic()
        answer_examples(candidate, probe, gateway, store)
        seconds += (time.monotonic() - started) / max(1, len(probe) - 1)
    fit = len(probe) + int(max(0.0, deadline - time.monotonic()) / max(seconds, 1e-6))
    rows = tuple(test[: max(fit, LEAST_ROWS)])
    if len(rows) < len(test):
        progress.say(f"{len(rows)} of {len(test)} test rows fit the time limit")
    return rows


def _shuffled(test: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """The test rows in random order, so that the first of them stand for all."""
    return tuple(random.Random(f"bench/{seed}").sample(list(test), len(test)))


def _general(
    tuned: Tuned, task: Task, suite: Sequence[GeneralItem], gateway: Gateway, store: AnswerStore, progress: Progress
) -> General:
    """Base and tuned model answer the general suite; their divergence is measured on the base's answers."""
    progress.stage("General ability")
    labels = task.constraint.values if isinstance(task.constraint, Labels) else ()
    adapter = str(tuned.result.adapter_gguf)
    asked = general_requests(tuned.model, None, suite)
    base = answer_requests(asked, gateway, store, _part(progress, "base model", 0, 2))
    own = answer_requests(
        general_requests(tuned.model, adapter, suite), gateway, store, _part(progress, "tuned model", 1, 2)
    )
    found = flexibility([a.text for a in base], [a.text for a in own], labels, suite)
    progress.advance(2 * len(asked), 2 * len(asked), "divergence from the base")
    step = max(1, len(asked) // KL_ITEMS)
    said = [(r.messages, a.text) for r, a in zip(asked, base, strict=True) if a.text.strip()][::step]
    return General(tuned.model, found, _divergence(tuned, said))


def _divergence(tuned: Tuned, said: list[tuple[tuple[Message, ...], str]]) -> float:
    """Mean KL of base and tuned model on the base's answers, in nats a token; kept beside the adapter it belongs to."""
    file = tuned.result.adapter_gguf.parent / "divergence.json"
    made_from = fingerprint(sha256(tuned.result.adapter_gguf), [text for _, text in said])
    if file.exists() and (known := read_json(file, "chapeta bench"))["made_from"] == made_from:
        return float(known["kl_nats"])
    with needs_torch():
        from chapeta.tuning.divergence import mean_kl
    kl_nats = fmean(mean_kl(weights.ensure(tuned.model), tuned.result.adapter_peft, said))
    write_json(file, {"made_from": made_from, "kl_nats": kl_nats})
    return kl_nats


def _keep(run: Run, benched: Benched) -> None:
    """Writes what the verdict, the report and the receipt read."""
    lines = []
    for candidate, answered in zip(benched.candidates, benched.answered, strict=True):
        result = next(c for c in benched.result.candidates if c.name == candidate.name)
        for example, answer, score in zip(benched.rows, answered.answers, result.row_scores, strict=True):
            request = candidate.render(example.messages)
            lines.append(
                {
                    "candidate": candidate.name,
                    "example": example.id,
                    "messages": [[m.role, m.content] for m in request.messages],
                    "expected": example.answer,
                    "answer": dataclasses.asdict(answer),
                    "score": score,
                }
            )
    write_lines(run.folder / "answers.jsonl", lines)
    general = [
        {"model": g.model, "kl_nats": g.kl_nats, **row}
        for g in benched.general
        for row in g.flexibility.to_json()["rows"]
    ]
    write_lines(run.folder / "general.jsonl", general)
    write_json(run.folder / "candidates.json", [candidate_to_json(c) for c in benched.candidates])
    write_json(run.folder / "bench.json", benched.result.to_json())


def write_lines(path: Path, rows: Sequence[object]) -> None:
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
