"""Scores closed labels: accuracy row by row, macro F1 over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chapeta.bench.scorers.rows import F1_SEED, RowScores, answered, choose
from chapeta.bench.statistics import macro_f1
from chapeta.types import Answer, Example, Task


@dataclass(frozen=True, slots=True)
class LabelScorer:
    """An answer is right when it is exactly the expected label, white space around it aside."""

    metric: str = "accuracy"

    def score(self, examples: Sequence[Example], answers: Sequence[Answer], task: Task) -> RowScores:  # noqa: ARG002
        expected = [example.answer.strip() for example in examples]
        given = [answered(answer) for answer in answers]
        right = [float(want == got) for want, got in zip(expected, given, strict=True)]
        return choose(self.metric, {"accuracy": right}, {"macro_f1": macro_f1(expected, given, F1_SEED)})
