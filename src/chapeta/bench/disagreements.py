"""The test rows that teach most: those on which candidates differ. Figures say who wins; these rows say why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chapeta.types import Example


@dataclass(frozen=True, slots=True)
class CandidateAnswer:
    """What one candidate said to the row, and its score by the main metric (0 wrong, 1 right)."""

    candidate: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One test row on which candidates differ; answers in the order of the bench."""

    row_id: str
    question: str
    expected: str
    answers: tuple[CandidateAnswer, ...]

    @property
    def decides(self) -> bool:
        """Whether some are right and others are not, or less so; else only their words differ."""
        return len({answer.score for answer in self.answers}) > 1


@dataclass(frozen=True, slots=True)
class _Row:
    """gap: chosen candidate's score minus the best alternative's. spread: highest minus lowest score of all."""

    index: int
    expected: str
    gap: float
    spread: float


def instructive_disagreements(
    examples: Sequence[Example],
    answers_by_candidate: Mapping[str, Sequence[str]],
    row_scores_by_candidate: Mapping[str, Sequence[float]],
    chosen: str = "",
    limit: int = 10,
) -> list[Disagreement]:
    """At most `limit` rows on which scores differ, the most instructive first.

    First come rows on which the `chosen` candidate differs from the best alternative (highest mean score of the
    others), its wins and losses in turn, so that the list does not flatter the choice; then rows on which others
    differ. Among equals each row brings an expected answer seen least so far, then the widest spread, then file order.
    Without a `chosen` name the best candidate by mean score takes its place.
    """
    rows = _differing_rows(examples, row_scores_by_candidate, chosen)
    picked: list[_Row] = []
    labels: Counter[str] = Counter()
    sides: Counter[bool] = Counter()

    def rank(row: _Row) -> tuple[bool, int, int, float, float, int]:
        return (row.gap == 0, labels[row.expected], sides[row.gap > 0], -abs(row.gap), -row.spread, row.index)

    while rows and len(picked) < limit:
        best = min(rows, key=rank)
        rows.remove(best)
        picked.append(best)
        labels[best.expected] += 1
        sides[best.gap > 0] += 1
    return [_disagreement(examples[r.index], r.index, answers_by_candidate, row_scores_by_candidate) for r in picked]


def _differing_rows(examples: Sequence[Example], scores: Mapping[str, Sequence[float]], chosen: str) -> list[_Row]:
    by_mean = sorted(scores, key=lambda name: -sum(scores[name]))
    ours = chosen if chosen in scores else (by_mean[0] if by_mean else "")
    alternative = next((name for name in by_mean if name != ours), None)
    if alternative is None:
        return []
    rows = []
    for index, example in enumerate(examples):
        column = [values[index] for values in scores.values()]
        spread = max(column) - min(column)
        if spread > 0:
            gap = scores[ours][index] - scores[alternative][index]
            rows.append(_Row(index, example.answer, gap, spread))
    return rows


def _disagreement(
    example: Example, index: int, answers: Mapping[str, Sequence[str]], scores: Mapping[str, Sequence[float]]
) -> Disagreement:
    said = tuple(CandidateAnswer(name, answers[name][index], scores[name][index]) for name in scores)
    return Disagreement(example.id, example.question, example.answer, said)
