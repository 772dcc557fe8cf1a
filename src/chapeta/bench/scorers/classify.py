"""Scores closed labels: accuracy row by row, macro F1 over all rows, and which label was taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chapeta.bench.scorers.rows import F1_SEED, RowScores, answered, choose
from chapeta.bench.statistics import macro_f1
from chapeta.types import Answer, Example, Labels, Task

NO_LABEL = "(no label)"


@dataclass(frozen=True, slots=True)
class LabelScorer:
    """An answer is right when it is exactly the expected label, white space around it aside."""

    metric: str = "accuracy"

    def score(self, examples: Sequence[Example], answers: Sequence[Answer], task: Task) -> RowScores:  # noqa: ARG002
        expected = [example.answer.strip() for example in examples]
        given = [answered(answer) for answer in answers]
        right = [float(want == got) for want, got in zip(expected, given, strict=True)]
        return choose(self.metric, {"accuracy": right}, {"macro_f1": macro_f1(expected, given, F1_SEED)})


@dataclass(frozen=True, slots=True)
class Confusion:
    """counts[i][j]: rows whose expected label is labels[i] and whose answer is labels[j]; last column: no label."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def mistakes(self) -> tuple[tuple[str, str, int], ...]:
        """Expected label, given label and number of rows of each mistake, the most frequent first."""
        columns = (*self.labels, NO_LABEL)
        found = [
            (want, got, count)
            for want, row in zip(self.labels, self.counts, strict=True)
            for got, count in zip(columns, row, strict=True)
            if count and want != got
        ]
        return tuple(sorted(found, key=lambda mistake: (-mistake[2], mistake[0], mistake[1])))


def confusion(examples: Sequence[Example], answers: Sequence[Answer], task: Task) -> Confusion:
    """The table of expected and given labels. Labels are the task's, then others that occur in the examples."""
    expected = [example.answer.strip() for example in examples]
    known = task.constraint.values if isinstance(task.constraint, Labels) else ()
    labels = tuple(dict.fromkeys((*known, *sorted(set(expected)))))
    given = [text if text in labels else NO_LABEL for text in map(answered, answers)]
    pairs = Counter(zip(expected, given, strict=True))
    return Confusion(labels, tuple(tuple(pairs[want, got] for got in (*labels, NO_LABEL)) for want in labels))
