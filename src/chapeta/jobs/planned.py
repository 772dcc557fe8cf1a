"""The parts of a plan, apart from how it is made: a page can show them without loading what it is made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chapeta.engine import weights
from chapeta.examples.check import CheckReport
from chapeta.examples.columns import Columns
from chapeta.examples.split import Splits
from chapeta.types import Task

if TYPE_CHECKING:
    from chapeta.jobs.times import RowTokens
    from chapeta.stages.estimate import Estimate

LEAST, MOST = 0.6, 1.7  # what a run takes over what was reckoned, on a machine with nothing else to do


@dataclass(frozen=True, slots=True)
class Planned:
    """A candidate of a model. seconds: to make it and to let it answer; usd: at providers, None where nobody knows a price.

    why_not: why it cannot be made; "" where it can.
    """

    name: str
    model: str
    seconds: float
    calls: int = 0
    usd: float | None = 0.0
    why_not: str = ""

    @property
    def is_local(self) -> bool:
        return weights.is_local(self.model)


@dataclass(frozen=True, slots=True)
class Looked:
    """A file as a run will read it. columns: which hold what, as far as that was told or recognised.

    problem: why nothing can be begun with it, "" where it can; then there are splits, a task and the rows' tokens by model.
    """

    report: CheckReport
    columns: Columns
    problem: str = ""
    splits: Splits | None = None
    task: Task | None = None
    tokens: Mapping[str, RowTokens] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What was read, and what it will take. problem: why it cannot be begun; "" where it can.

    train, validation, test: rows. seconds: of the whole run on an idle machine; price: of all its calls to providers.
    busy: how many times longer local work takes while the machine is as busy as now. limit_s: the time limit, if any.
    """

    report: CheckReport
    problem: str = ""
    task: Task | None = None
    train: int = 0
    validation: int = 0
    test: int = 0
    notes: tuple[str, ...] = ()
    candidates: tuple[Planned, ...] = ()
    seconds: float = 0.0
    price: Estimate | None = None
    busy: float = 1.0
    limit_s: float | None = None

    @property
    def range_s(self) -> tuple[float, float]:
        """The least and the most seconds that the whole run is likely to take, on a machine that is idle."""
        least, most = range_of(self.seconds)
        return (least, most) if self.limit_s is None else (min(least, self.limit_s), min(most, self.limit_s))

    @property
    def busy_s(self) -> float:
        """The most seconds that it is likely to take if the machine stays as busy as it is now."""
        local = sum(one.seconds for one in self.candidates if one.is_local)
        most = MOST * (self.seconds + (self.busy - 1) * local)
        return most if self.limit_s is None else min(most, self.limit_s)


def range_of(seconds: float) -> tuple[float, float]:
    """The least and the most that is meant by seconds which were reckoned for an idle machine."""
    return LEAST * seconds, MOST * seconds
