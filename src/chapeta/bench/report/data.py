"""What the report shows, as data that survives JSON: the stage stores it, and a report can be drawn again from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from chapeta.bench.disagreements import CandidateAnswer, Disagreement
from chapeta.bench.results import BenchResult, Estimate, Verdict
from chapeta.types import Json

if TYPE_CHECKING:  # numpy and scipy come with it, and a report needs neither
    from chapeta.bench.flexibility import Flexibility


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One moment of training. loss: mean over answer tokens, in nats; None where only the score was measured."""

    step: int
    loss: float | None
    validation_score: float | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The training of one candidate. chosen_step: the checkpoint that was kept, None if it is the last."""

    candidate: str
    points: tuple[CurvePoint, ...]
    chosen_step: int | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """matrix[i][j]: test rows whose expected answer is labels[i] and that the candidate answered with labels[j]."""

    candidate: str
    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]

    @classmethod
    def count(cls, candidate: str, expected: Sequence[str], answered: Sequence[str]) -> Confusion:
        """Count the pairs; labels in alphabetical order, those that are only ever answered included."""
        labels = tuple(sorted({*expected, *answered}))
        position = {label: i for i, label in enumerate(labels)}
        matrix = [[0] * len(labels) for _ in labels]
        for truth, answer in zip(expected, answered, strict=True):
            matrix[position[truth]][position[answer]] += 1
        return cls(candidate, labels, tuple(tuple(row) for row in matrix))


@dataclass(frozen=True, slots=True)
class FieldAccuracy:
    """How often one candidate gets each field of the object right, by field name."""

    candidate: str
    accuracy: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class GeneralGroup:
    """One kind of item of the general suite; shares of items right, on the same items."""

    name: str
    n: int
    base: float
    tuned: float


@dataclass(frozen=True, slots=True)
class FlippedItem:
    """An item of the general suite that only one of base and tuned gets right."""

    group: str
    prompt: str
    base_answer: str
    tuned_answer: str
    tuned_right: bool


@dataclass(frozen=True, slots=True)
class GeneralSuite:
    """The general suite for one candidate that changes the weights, against its base model."""

    candidate: str
    groups: tuple[GeneralGroup, ...]
    flipped: tuple[FlippedItem, ...] = ()

    @classmethod
    def of(cls, candidate: str, found: Flexibility) -> GeneralSuite:
        groups = tuple(GeneralGroup(g.group, g.base.n, g.base.value, g.tuned.value) for g in found.groups)
        flipped = tuple(
            FlippedItem(row.group, row.prompt, row.base_answer, row.tuned_answer, row.tuned_passed)
            for row in found.rows
            if row.flipped
        )
        return cls(candidate, groups, flipped)


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page. All but the first five may be empty; what is empty is left out.

    date:       as it should be read, e.g. "2026-11-22 15:04 UTC".
    task:       the task in words.
    check:      what was read and found, any JSON; the key `labels` ({label: rows}) is drawn as bars.
    splits:     rows by split name.
    recipe:     {"recipe": {setting: value}, "reasons": {setting: sentence}}, the JSON of a `ChosenRecipe`.
    constraint: what answers were decoded under, for every candidate alike: "labels", "json" or "".
    prompts:    the instructions and shown examples of each candidate, as text.
    settings, versions, receipt: any JSON; receipt names the paths that let a reader check the figures.
    """

    name: str
    date: str
    task: str
    bench: BenchResult
    verdict: Verdict
    check: Json = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    leakage_removed: int | None = None
    recipe: Json = field(default_factory=dict)
    curves: tuple[LearningCurve, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    fields: tuple[FieldAccuracy, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    general: tuple[GeneralSuite, ...] = ()
    constraint: Literal["labels", "json", ""] = ""
    prompts: dict[str, str] = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    versions: Json = field(default_factory=dict)
    receipt: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> ReportData:
        return cls(
            **{
                **data,
                "bench": BenchResult.from_json(data["bench"]),
                "verdict": Verdict(**{**data["verdict"], "reasons": tuple(data["verdict"]["reasons"])}),
                "curves": tuple(_curve(d) for d in data["curves"]),
                "confusions": tuple(_confusion(d) for d in data["confusions"]),
                "fields": tuple(_fields(d) for d in data["fields"]),
                "disagreements": tuple(_disagreement(d) for d in data["disagreements"]),
                "general": tuple(_general(d) for d in data["general"]),
            }
        )


def _curve(data: Json) -> LearningCurve:
    return LearningCurve(**{**data, "points": tuple(CurvePoint(**p) for p in data["points"])})


def _confusion(data: Json) -> Confusion:
    return Confusion(data["candidate"], tuple(data["labels"]), tuple(tuple(row) for row in data["matrix"]))


def _fields(data: Json) -> FieldAccuracy:
    return FieldAccuracy(data["candidate"], {name: Estimate(**e) for name, e in data["accuracy"].items()})


def _disagreement(data: Json) -> Disagreement:
    return Disagreement(**{**data, "answers": tuple(CandidateAnswer(**a) for a in data["answers"])})


def _general(data: Json) -> GeneralSuite:
    groups = tuple(GeneralGroup(**g) for g in data["groups"])
    return GeneralSuite(data["candidate"], groups, tuple(FlippedItem(**f) for f in data["flipped"]))
