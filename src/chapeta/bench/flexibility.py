"""How much of its general ability a tuned model keeps: the general suite, answered by the base and by the tuned model.

Both get the same questions without instructions, greedily and without constraint, so that only the weights differ.
The figure is the change of the share of items passed, tuned minus base, with its paired interval; the groups say what
kind of ability moved, and the flipped rows show it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chapeta.bench.general import GROUPS, GeneralItem, load_suite, passes
from chapeta.bench.results import Estimate
from chapeta.bench.statistics import paired_difference, wilson
from chapeta.errors import BadInput
from chapeta.types import Decoding, Json, Message, Request


@dataclass(frozen=True, slots=True)
class GeneralRow:
    """One item with both answers and whether each passed."""

    id: str
    group: str
    prompt: str
    base_answer: str
    tuned_answer: str
    base_passed: bool
    tuned_passed: bool

    @property
    def flipped(self) -> bool:
        return self.base_passed != self.tuned_passed


@dataclass(frozen=True, slots=True)
class GroupScore:
    """One group of the suite: shares of items passed, and their change (tuned minus base, paired)."""

    group: str
    base: Estimate
    tuned: Estimate
    change: Estimate


@dataclass(frozen=True, slots=True)
class Flexibility:
    """The general suite, base against tuned. `change` is tuned minus base: negative is ability lost."""

    base: Estimate
    tuned: Estimate
    change: Estimate
    groups: tuple[GroupScore, ...]
    rows: tuple[GeneralRow, ...]

    @property
    def lost(self) -> tuple[GeneralRow, ...]:
        """Items that the base passes and the tuned model does not."""
        return tuple(row for row in self.rows if row.flipped and row.base_passed)

    @property
    def gained(self) -> tuple[GeneralRow, ...]:
        """Items that the tuned model passes and the base does not."""
        return tuple(row for row in self.rows if row.flipped and row.tuned_passed)

    def to_json(self) -> Json:
        """All figures and rows, and the ids of the flipped rows."""
        flips = {"lost": [row.id for row in self.lost], "gained": [row.id for row in self.gained]}
        return {**dataclasses.asdict(self), **flips}


def flexibility(
    base_answers: Sequence[str],
    tuned_answers: Sequence[str],
    trained_labels: Collection[str] = (),
    suite: Sequence[GeneralItem] | None = None,
) -> Flexibility:
    """Compares answers to the suite, both in its order; `suite` is the part that was asked, by default all of it.

    trained_labels: the closed labels the model was tuned to give; to answer an ordinary question with one is a failure.
    """
    suite = load_suite() if suite is None else suite
    for whose, answers in (("base", base_answers), ("tuned", tuned_answers)):
        if len(answers) != len(suite):
            raise BadInput(
                f"{len(answers)} {whose} answers for {len(suite)} items of the general suite.",
                "Answer every request of `flexibility.requests`, in order.",
            )
    rows = tuple(
        GeneralRow(
            id=item.id,
            group=item.group,
            prompt=item.prompt,
            base_answer=base,
            tuned_answer=tuned,
            base_passed=passes(item, base, trained_labels),
            tuned_passed=passes(item, tuned, trained_labels),
        )
        for item, base, tuned in zip(suite, base_answers, tuned_answers, strict=True)
    )
    groups = tuple(GroupScore(group, *_scores([row for row in rows if row.group == group])) for group in GROUPS)
    return Flexibility(*_scores(rows), groups=groups, rows=rows)


def requests(model: str, adapter: str | None, suite: Sequence[GeneralItem] | None = None) -> tuple[Request, ...]:
    """The suite (or the given part) as requests, in order: the question alone, greedy, unconstrained."""
    return tuple(
        Request(model, (Message("user", item.prompt),), Decoding(max_tokens=item.max_tokens), adapter)
        for item in (load_suite() if suite is None else suite)
    )


def _scores(rows: Sequence[GeneralRow]) -> tuple[Estimate, Estimate, Estimate]:
    """Share passed by the base, share passed by the tuned model, tuned minus base."""
    base = [float(row.base_passed) for row in rows]
    tuned = [float(row.tuned_passed) for row in rows]
    change = paired_difference(tuned, base)
    return wilson(int(sum(base)), len(rows)), wilson(int(sum(tuned)), len(rows)), change
