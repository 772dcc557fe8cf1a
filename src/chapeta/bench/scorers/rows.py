"""What a scorer is and what it returns: metrics row by row, so that candidates can be compared on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chapeta.bench.results import Estimate
from chapeta.bench.statistics import mean_interval
from chapeta.types import Answer, Example, Task

F1_SEED = 0  # bootstraps inside a scorer: fixed, so that the same answers always give the same figures


@dataclass(frozen=True, slots=True)
class RowScores:
    """Scores of one candidate's answers. All are shares between 0 and 1, higher is better.

    rows:   the main metric, one score a test row, in the order of the examples.
    others: further metrics by name: one score a row, or an estimate where only all rows together have a value (F1).
    notes:  what a reader of the figures has to know, in whole sentences.
    """

    metric: str
    rows: tuple[float, ...]
    others: Mapping[str, tuple[float, ...] | Estimate]
    notes: tuple[str, ...] = field(default=())

    def estimates(self, groups: Sequence[str] | None = None) -> dict[str, Estimate]:
        """Every metric with its interval, the main one first. `groups` as in `statistics`; F1 does not use them."""
        every: dict[str, tuple[float, ...] | Estimate] = {self.metric: self.rows, **self.others}
        return {
            name: found if isinstance(found, Estimate) else mean_interval(found, groups=groups)
            for name, found in every.items()
        }


class Scorer(Protocol):
    """Scores answers against examples. `metric` names the main metric."""

    @property
    def metric(self) -> str: ...

    def score(self, examples: Sequence[Example], answers: Sequence[Answer], task: Task) -> RowScores:
        """Row scores of answers to these examples, in the same order. A failed answer scores 0; nothing is left out."""
        ...


def choose(metric: str, rows: Mapping[str, Sequence[float]], estimates: Mapping[str, Estimate]) -> RowScores:
    """Row scores with one of the metrics as the main one."""
    others: dict[str, tuple[float, ...] | Estimate] = {n: tuple(r) for n, r in rows.items() if n != metric}
    return RowScores(metric, tuple(rows[metric]), {**others, **estimates})


def answered(answer: Answer) -> str:
    """The answer's text without white space around it; empty for a failed call."""
    return "" if answer.finish == "error" else answer.text.strip()
