"""Examples made ready for choosing among them: their words, their values, and the two choices made from that.

`spread` picks examples to show (every value present, all different, short first); `confusions` finds the pairs of
values that stand closest to each other, each with two messages that are alike and yet have different answers.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chapeta.skills.fields import Field, fields_of, parsed
from chapeta.skills.words import features
from chapeta.types import Example, Task

MAX_STUDIED = 20_000
MAX_POOL = 400
MAX_COMPARED = 1500
LONG_CHARS = 240
SHORT_WORDS = 4
MIN_ALIKE = 0.08
MIN_CONFUSED = 3


@dataclass(frozen=True, slots=True)
class Row:
    """An example, the features of its message, its parsed answer, its labels (closed fields first, then open ones)."""

    example: Example
    features: frozenset[str]
    answer: Any
    labels: tuple[frozenset[str], ...]

    @property
    def chars(self) -> int:
        return sum(len(message.content) for message in self.example.messages) + len(self.example.answer)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Two values easily taken for each other. `count`: how often a message's nearest neighbour has the other one."""

    field: Field
    first: str
    second: str
    first_row: Row
    second_row: Row
    count: int


def rows_of(task: Task, train: Iterable[Example]) -> tuple[Row, ...]:
    """The examples with a readable answer, with their words and labels; a fair part of more than `MAX_STUDIED`."""
    fields = fields_of(task)
    closed = [field for field in fields if field.closed]
    still_open = [field for field in fields if not field.closed]
    rows = []
    for example in train:
        answer = parsed(task, example)
        if answer is not None:
            labels = [field.labels(answer) for field in closed]
            # Whether an open field is filled is a decision too: shown examples should have it both ways.
            labels += [
                frozenset({"empty" if field.raw(answer) in (None, "", []) else "filled"}) for field in still_open
            ]
            rows.append(Row(example, frozenset(), answer, tuple(labels)))
    studied = thinned(rows, MAX_STUDIED, 0)
    return tuple(replace(row, features=features(row.example.question)) for row in studied)


def thinned(rows: Sequence[Row], limit: int, seed: int) -> tuple[Row, ...]:
    """At most `limit` rows, drawn at random in turn from each combination of labels, so that rare ones stay."""
    if len(rows) <= limit:
        return tuple(rows)
    shuffled = random.Random(seed).sample(list(rows), len(rows))
    by_labels: dict[tuple[frozenset[str], ...], list[Row]] = defaultdict(list)
    for row in shuffled:
        by_labels[row.labels].append(row)
    turns = [(position, row) for group in by_labels.values() for position, row in enumerate(group)]
    return tuple(row for _, row in sorted(turns, key=lambda turn: turn[0])[:limit])


def spread(rows: Sequence[Row], k: int, seed: int = 0) -> tuple[Row, ...]:
    """k examples to show: each next one has the values shown least so far, differs from those chosen, and is short."""
    left = list(thinned(rows, MAX_POOL, seed))
    chosen: list[Row] = []
    shown: list[Counter[str]] = [Counter() for _ in (left[0].labels if left else ())]
    likeness = [0.0] * len(left)
    while left and len(chosen) < k:
        worth = [_novelty(row, shown) - alike - _unhandiness(row) for row, alike in zip(left, likeness, strict=True)]
        best = max(range(len(left)), key=lambda i: (worth[i], -left[i].chars, left[i].example.id))
        row = left.pop(best)
        likeness.pop(best)
        likeness = [max(old, _jaccard(row.features, other.features)) for old, other in zip(likeness, left, strict=True)]
        chosen.append(row)
        for counter, labels in zip(shown, row.labels, strict=True):
            counter.update(labels)
    return tuple(chosen)


def confusions(
    rows: Sequence[Row], closed: Sequence[Field], looked_at: Sequence[Field], limit: int
) -> tuple[Confusion, ...]:
    """The pairs of values most often mixed up by nearest neighbours, the worst pair of every field in turn.

    closed: the fields of the rows' labels, in their order; looked_at: those of them that are asked about.
    """
    sample = thinned(rows, MAX_COMPARED, 0)
    if len(sample) < 4:
        return ()
    likeness = _likeness(sample)
    single = [(i, field) for i, field in enumerate(closed) if field.kind == "label" and field in looked_at]
    by_field = [_confused_pairs(sample, likeness, field, i) for i, field in single]
    turns = [(turn, -pair.count, pair) for pairs in by_field for turn, pair in enumerate(pairs)]
    return tuple(pair for *_, pair in sorted(turns, key=lambda entry: entry[:2])[:limit])


def _novelty(row: Row, shown: Sequence[Counter[str]]) -> float:
    """How seldom this row's values were shown so far, summed over the fields; 3 a field for a value never shown."""
    total = 0.0
    for counter, labels in zip(shown, row.labels, strict=True):
        if labels:
            total += sum(3 / (1 + counter[label]) for label in labels) / len(labels)
    return total


def _unhandiness(row: Row) -> float:
    """0 for a message of some 60 characters, 1 at `LONG_CHARS`, 2 at twice that; scraps of a few words cost too."""
    scrap = 0.5 if len(row.example.question.split()) < SHORT_WORDS else 0.0
    turns = 0.5 * (len(row.example.messages) - 1)
    return max(0, row.chars - 60) / (LONG_CHARS - 60) + scrap + turns


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _likeness(rows: Sequence[Row]) -> Any:
    """Cosine similarity of TF-IDF vectors, all against all, as a dense float32 matrix with -1 on the diagonal."""
    import numpy as np
    from scipy import sparse

    containing = Counter(feature for row in rows for feature in row.features)
    columns = {feature: i for i, feature in enumerate(sorted(containing))}
    weight_of = {feature: math.log(len(rows) / n) for feature, n in containing.items()}
    cells = [(r, columns[f], weight_of[f]) for r, row in enumerate(rows) for f in row.features]
    if not cells:
        return np.full((len(rows), len(rows)), -1, dtype=np.float32)
    row_of, column_of, weight = (np.array(part) for part in zip(*cells, strict=True))
    # The types of scipy's sparse arrays depend on the number of dimensions, which a checker cannot see here.
    matrix: Any = sparse.coo_array((weight.astype(np.float32), (row_of, column_of)), (len(rows), len(columns))).tocsr()
    lengths = np.sqrt((matrix * matrix).sum(axis=1))
    matrix = sparse.diags_array(1 / np.maximum(lengths, 1e-9)).tocsr() @ matrix
    likeness = (matrix @ matrix.T).toarray()
    np.fill_diagonal(likeness, -1)
    return likeness


def _confused_pairs(rows: Sequence[Row], likeness: Any, field: Field, column: int) -> list[Confusion]:
    """The pairs of one field, most often confused first; each shows the two messages that are most alike and short."""
    label = [next(iter(row.labels[column]), "") for row in rows]
    nearest = likeness.argmax(axis=1)
    counts: Counter[tuple[str, str]] = Counter()
    best: dict[tuple[str, str], tuple[float, int, int]] = {}
    order = {value: i for i, value in enumerate(field.values)}
    handy = [math.exp(-_unhandiness(row) / 2) for row in rows]
    for i, other in enumerate(nearest):
        j = int(other)
        alike = float(likeness[i, j])
        both = {label[i], label[j]}
        if len(both) < 2 or alike < MIN_ALIKE or not both <= order.keys() or rows[i].features == rows[j].features:
            continue
        first, second = sorted((i, j), key=lambda index: order[label[index]])
        pair = (label[first], label[second])
        counts[pair] += 1
        # A pair teaches most if it differs in this field alone.
        same = sum(one == two for one, two in zip(rows[i].labels, rows[j].labels, strict=True))
        worth = alike * handy[i] * handy[j] * (1 + same) / len(rows[i].labels)
        best[pair] = max(best.get(pair, (0.0, 0, 0)), (worth, first, second))
    often = [pair for pair, count in counts.items() if count >= MIN_CONFUSED]
    ranked = sorted(often, key=lambda pair: (-counts[pair], order[pair[0]], order[pair[1]]))
    return [Confusion(field, *pair, rows[best[pair][1]], rows[best[pair][2]], counts[pair]) for pair in ranked]
