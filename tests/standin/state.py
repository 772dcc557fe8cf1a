"""What the stand-in remembers between requests, and what a request is answered with before it is sent."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .answers import Answer
from .faults import Fault
from .scene import Json
from .wire import Record, Reply

Say = str | Callable[[Json], str] | None


@dataclass(slots=True)
class State:
    """What the stand-in remembers between requests. key: the one it accepts, None to ask for none."""

    dialect: str
    key: str | None
    limit_usd: float | None = 100.0
    say: Say = None
    spent_usd: Decimal = Decimal(0)
    cached: set[str] = field(default_factory=set)
    generations: dict[str, tuple[Answer, Record]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


@dataclass(frozen=True, slots=True)
class Page:
    """An answer, the same as one JSON object, and the fault that the request asked for."""

    reply: Reply
    whole: Json = field(default_factory=dict)
    fault: Fault | None = None


def sent_key(record: Record) -> str:
    """The key of the request, "" if it has none."""
    return record.headers.get("authorization", "").removeprefix("Bearer ").strip()
