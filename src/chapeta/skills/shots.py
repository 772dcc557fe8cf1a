"""Few-shot examples: candidate sets from the training rows, and the best of them by a score on validation rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from chapeta.errors import BadInput
from chapeta.skills.rows import Row, rows_of, spread, thinned
from chapeta.types import Example, Task

MIN_POOL = 24
POOL_A_SHOT = 8

ShotSet = tuple[Example, ...]


def shot_sets(task: Task, train: Sequence[Example], k: int, n_sets: int, seed: int) -> tuple[ShotSet, ...]:
    """Up to n_sets different sets of k examples (of all, if there are fewer), each balanced over the values and varied.

    The first set is the best of all rows by these marks and brevity; the others are the best of random parts of them,
    so that the score has a choice. With k = 0 there is one empty set. The same arguments give the same sets.
    """
    if k < 0 or n_sets < 1:
        raise BadInput(f"{n_sets} sets of {k} examples cannot be chosen.", "Give k of 0 or more and one set or more.")
    rows = rows_of(task, train)
    found: dict[ShotSet, None] = {}
    # A few more draws than sets, because small data gives the same set again and again.
    for draw in range(3 * n_sets):
        pool: Sequence[Row] = rows if draw == 0 else _part(rows, max(MIN_POOL, POOL_A_SHOT * k), seed + draw)
        picked = [row.example for row in spread(pool, k, seed)]
        random.Random(seed + draw).shuffle(picked)  # else the last, most weighty ones always have the same values
        if {example.id for example in picked} not in ({example.id for example in known} for known in found):
            found[tuple(picked)] = None
        if len(found) == n_sets:
            break
    return tuple(found)


def choose(sets: Sequence[ShotSet], score: Callable[[ShotSet], float]) -> ShotSet:
    """The set with the highest score; of equal ones the shortest in characters, then the earliest."""
    if not sets:
        raise BadInput("There is no set of examples to choose from.", "Give at least one.")
    scores = [score(shots) for shots in sets]
    best = max(range(len(sets)), key=lambda i: (scores[i], -_chars(sets[i]), -i))
    return sets[best]


def _part(rows: Sequence[Row], size: int, seed: int) -> tuple[Row, ...]:
    """A random part of the rows, at most half of small data, with as many combinations of values as fit."""
    return thinned(rows, min(size, max(1, len(rows) // 2)), seed)


def _chars(shots: ShotSet) -> int:
    return sum(len(message.content) for shot in shots for message in shot.messages) + sum(len(s.answer) for s in shots)
