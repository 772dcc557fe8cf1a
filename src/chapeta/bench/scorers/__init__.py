"""The table of scorers: which metrics fit a task, the default first. A new scorer is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from chapeta.bench.scorers.classify import LabelScorer
from chapeta.bench.scorers.extract import ObjectScorer
from chapeta.bench.scorers.generate import TextScorer
from chapeta.bench.scorers.judge import Ask, JudgeScorer
from chapeta.bench.scorers.rows import RowScores, Scorer
from chapeta.errors import BadInput
from chapeta.types import TaskKind

__all__ = ["METRICS", "RowScores", "Scorer", "scorer_for"]

METRICS: Mapping[TaskKind, tuple[Scorer, ...]] = {
    "classify": (LabelScorer("accuracy"),),
    "extract": (ObjectScorer("exact_object"), ObjectScorer("mean_field_accuracy"), ObjectScorer("schema_valid")),
    "generate": (TextScorer("chrf"), TextScorer("rouge_l"), TextScorer("exact_match")),
}


def scorer_for(kind: TaskKind, metric: str | None = None, judge: Ask | None = None) -> Scorer:
    """The scorer whose main metric is `metric`, by default the task's first. "judge" needs a model, as a function.

    Only metrics with a score for every row can lead, because candidates are compared row by row; the others (F1) are
    reported beside them.
    """
    table = {scorer.metric: scorer for scorer in METRICS[kind]}
    if judge is not None:
        table["judge"] = JudgeScorer(judge)
    if metric is None:
        return METRICS[kind][0]
    if metric == "judge" and judge is None:
        raise BadInput("The metric judge needs a model that judges.", "Name one, or choose another metric.")
    if metric not in table:
        names = ", ".join(table)
        raise BadInput(f"{metric!r} cannot lead the scores of a {kind} task.", f"Choose one of: {names}.")
    return table[metric]
