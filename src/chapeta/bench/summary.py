"""From answers to figures: a pure function, so that a receipt's figures can be recomputed by anyone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from chapeta.bench.results import BenchResult, CandidateResult, Estimate
from chapeta.bench.scorers import RowScores, Scorer
from chapeta.bench.statistics import compare_all
from chapeta.types import Answer, Example, Task, Usage

SEED = 0  # of the permutation tests and bootstraps: fixed, so that the same answers always give the same figures


@dataclass(frozen=True, slots=True)
class Answered:
    """What one candidate said to the test rows. flexibility, kl_nats: of its weights against the base, if it has its own."""

    name: str
    trains: bool
    answers: tuple[Answer, ...]
    flexibility: Estimate | None = None
    kl_nats: float | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """What tuning took."""

    seconds: float
    usd: float | None
    rows: int


def summarise(
    name: str,
    task: Task,
    scorer: Scorer,
    examples: Sequence[Example],
    answered: Sequence[Answered],
    train: Sequence[Example] = (),
    training: Training | None = None,
    general_base: Estimate | None = None,
    notes: Sequence[str] = (),
) -> BenchResult:
    """Every figure of the bench with its interval, and all pairs of candidates compared."""
    groups = _groups(examples)
    scores = {a.name: scorer.score(examples, a.answers, task) for a in answered}
    said = [note for rows in scores.values() for note in rows.notes]
    return BenchResult(
        task=name,
        metric=scorer.metric,
        n_test=len(examples),
        row_ids=tuple(example.id for example in examples),
        candidates=tuple(_result(a, scores[a.name], groups) for a in answered),
        comparisons=compare_all({n: rows.rows for n, rows in scores.items()}, SEED, groups=groups),
        training_s=training.seconds if training else None,
        training_usd=training.usd if training else None,
        n_train=training.rows if training else 0,
        general_base=general_base,
        notes=tuple(dict.fromkeys((*notes, *said))),
        trivial_score=_trivial_score(task, scorer, examples, train),
    )


def _result(answered: Answered, rows: RowScores, groups: Sequence[str] | None) -> CandidateResult:
    estimates = rows.estimates(groups)
    good = [a for a in answered.answers if a.finish != "error"]
    latencies = sorted(a.latency_ms for a in good)
    return CandidateResult(
        name=answered.name,
        metric=rows.metric,
        score=estimates[rows.metric],
        scores=estimates,
        tokens_in=fmean([a.usage.tokens_in for a in good]) if good else 0.0,
        tokens_out=fmean([a.usage.tokens_out for a in good]) if good else 0.0,
        usd_per_1000_calls=_usd(good),
        latency_p50_ms=quantile(latencies, 0.5),
        latency_p95_ms=quantile(latencies, 0.95),
        trains=answered.trains,
        errors=len(answered.answers) - len(good),
        flexibility=answered.flexibility,
        kl_nats=answered.kl_nats,
        row_scores=rows.rows,
    )


def quantile(ascending: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies (nearest rank); 0 for none."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else 0.0


def _trivial_score(task: Task, scorer: Scorer, examples: Sequence[Example], train: Sequence[Example]) -> float | None:
    """What it would score to give always the most frequent training answer; not asked of a judge."""
    if not train or scorer.metric == "judge":
        return None
    common = Counter(example.answer for example in train).most_common(1)[0][0]
    return fmean(scorer.score(examples, [Answer(common, Usage(0, 0), 0.0)] * len(examples), task).rows)


def _usd(answers: Sequence[Answer]) -> float | None:
    """Mean cost of a thousand calls; unknown as soon as one call's cost is unknown."""
    costs = [a.usd for a in answers]
    known = [usd for usd in costs if usd is not None]
    return 1000 * fmean(known) if known and len(known) == len(costs) else None


def _groups(examples: Sequence[Example]) -> list[str] | None:
    """The rows' groups for intervals that respect them, if the user's data has any."""
    if not any(example.group for example in examples):
        return None
    return [example.group or f"row {place}" for place, example in enumerate(examples)]
