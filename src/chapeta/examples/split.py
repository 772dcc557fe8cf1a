"""Split examples in train, validation and test, so that the test measures what was not seen.

Rows that belong together never straddle: those of one group, and near duplicates (see `duplicates.py`), and what these
connect. Such a unit is dealt as one. Units lie in the order of their stratum (the label, or the first field of JSON
answers that has few values) and within it in an order drawn from the seed and the rows' content, not their position.
Each goes to the split that lacks most; so labels keep their shares, and the same rows give the same split in any order.

Sizes: test is 20 % of the rows, or 300 where that is more, but not above 40 %; validation is 10 %, or 30 where that is
more, but not above 200 or 20 %; train keeps at least half, the other two shrinking in proportion. A label that only
held-out rows would have moves to train.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from chapeta.errors import BadInput
from chapeta.examples.duplicates import clusters_of
from chapeta.examples.task import closed_set, kind_of, parsed_object
from chapeta.types import Example, Json, TaskKind

MIN_ROWS = 10
MIN_UNITS = 3
INDICATIVE_BELOW = 100


@dataclass(frozen=True, slots=True)
class SplitReport:
    """How the split was made, in rows.

    duplicates_dropped: rows that repeat an earlier one, input and answer; they are in no split.
    near_duplicates:    rows kept together with another one because they are nearly equal or share a group.
    leakage_removed:    rows not used because they are in a group with, or nearly or exactly, a row of the test file.
    conflicts:          inputs that have more than one answer.
    stratified_by:      "label", the name of a field, or "" for none.
    """

    seed: int
    train: int
    validation: int
    test: int
    duplicates_dropped: int
    near_duplicates: int
    leakage_removed: int
    conflicts: int
    stratified_by: str
    given_test: bool
    notes: tuple[str, ...] = ()

    def to_json(self) -> Json:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Splits:
    """The three parts, each in the order of the file, and how they were made."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    report: SplitReport


def split(
    examples: Sequence[Example],
    seed: int = 0,
    test: Sequence[Example] | None = None,
    kind: TaskKind | None = None,
) -> Splits:
    """Deal the examples out. A given `test` is kept as it is, and whatever repeats it is taken out of the rest.

    `BadInput` where there is nothing to learn or to compare: fewer than 10 rows, rows all alike, one label only.
    """
    rows = _distinct(examples)
    _require_enough(rows, len(examples), kind)
    given = list(test) if test is not None else None
    if given is not None and not given:
        raise BadInput("The test file has no example.", "Give a test file with rows, or none.")
    units, leaked = _units(rows, given or [], examples)
    name, strata = stratify(rows, kind)
    wanted = sizes(sum(len(unit) for unit in units), given is not None)
    parts = _deal(rows, units, strata, wanted, seed)
    together = sum(len(unit) for unit in units if len(unit) > 1)
    report = SplitReport(
        seed=seed,
        train=len(parts[0]),
        validation=len(parts[1]),
        test=len(given) if given is not None else len(parts[2]),
        duplicates_dropped=len(examples) - len(rows),
        near_duplicates=together,
        leakage_removed=leaked,
        conflicts=_conflicts(rows),
        stratified_by=name,
        given_test=given is not None,
        notes=_notes(len(given) if given is not None else len(parts[2]), len(parts[0]), leaked),
    )
    held_out = tuple(given) if given is not None else parts[2]
    return Splits(parts[0], parts[1], held_out, report)


def sizes(rows: int, given_test: bool = False) -> tuple[int, int, int]:
    """(train, validation, test) that are aimed at; the rule stands at the top of the file."""
    test = 0 if given_test else max(rows // 5, min(300, 2 * rows // 5), 1)
    validation = max(1, min(max(rows // 10, 30), 200, rows // 5))
    held_out = test + validation
    if held_out > rows // 2:
        validation = max(1, validation * (rows // 2) // held_out)
        test = 0 if given_test else max(1, rows // 2 - validation)
    return rows - validation - test, validation, test


def stratify(rows: Sequence[Example], kind: TaskKind | None = None) -> tuple[str, list[str]]:
    """What the split keeps in proportion, and its value for each row: ("", blanks) for free text."""
    answers = Counter(row.answer for row in rows)
    found = kind or kind_of(answers)
    if found == "classify":
        return "label", [row.answer for row in rows]
    if found == "extract":
        parsed = [parsed_object(row.answer) or {} for row in rows]
        for key in dict.fromkeys(key for value in parsed for key in value):
            values = [str(value.get(key)) if _is_plain(value.get(key)) else "" for value in parsed]
            if len(set(values)) > 1 and closed_set(Counter(values)):
                return key, values
    return "", [""] * len(rows)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | bool)


def _distinct(examples: Sequence[Example]) -> list[Example]:
    """Without rows that repeat an earlier one, input and answer; of repeated rows the first in the file stays."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.id, example)
    return list(first.values())


def _require_enough(rows: Sequence[Example], given: int, kind: TaskKind | None) -> None:
    if len(rows) == 1 < given:
        raise BadInput(f"All {given:,} rows are identical.", "Add rows with different inputs and answers.")
    if len(rows) < MIN_ROWS:
        remedy = f"Bring at least {MIN_ROWS}; 1,000 or more give a sound verdict."
        what = "1 row is" if len(rows) == 1 else f"{len(rows)} different rows are"
        raise BadInput(f"{what} too few to train, choose and test on.", remedy)
    answers = {row.answer for row in rows}
    if len(answers) == 1:
        what = "label" if kind == "classify" else "answer"
        reason = f"All {len(rows):,} rows have the same {what} {next(iter(answers))[:60]!r}: there is nothing to learn."
        raise BadInput(reason, "Add rows with other answers, or name the right output column (--output).")


def _units(
    rows: Sequence[Example], test: Sequence[Example], repeated: Sequence[Example]
) -> tuple[list[list[int]], int]:
    """Rows (by index) that must stay together, and how many rows were left out because they belong to test rows.

    `repeated` are all rows with those that were dropped: a row that stands in two groups joins them.
    """
    both = [*rows, *test]
    joined = _UnionFind(len(both))
    for index, first in enumerate(clusters_of(both).tolist()):
        joined.unite(index, first)
    index_of = {row.id: index for index, row in enumerate(rows)}
    placed = [(index_of[row.id], row.group) for row in repeated]
    placed += [(index, row.group) for index, row in enumerate(test, len(rows))]
    group_first: dict[str, int] = {}
    for index, group in placed:
        if group:
            joined.unite(index, group_first.setdefault(group, index))
    taken = {joined.find(index) for index in range(len(rows), len(both))}
    units: dict[int, list[int]] = {}
    for index in range(len(rows)):
        units.setdefault(joined.find(index), []).append(index)
    kept = [unit for root, unit in units.items() if root not in taken]
    leaked = len(rows) - sum(len(unit) for unit in kept)
    least = MIN_UNITS if not test else 2
    if test and not kept:
        reason = f"All {len(rows):,} rows are in the test file too, or nearly so: none is left to train on."
        raise BadInput(reason, "Give a test file of other rows, or none: some rows are then kept back for the test.")
    if len(kept) < least:
        reason = f"The {len(rows):,} rows fall into {_counted(len(kept))}; at least {least} are needed."
        remedy = (
            "Rows of a group (--group), near duplicates and rows like the test file's stay together: add other rows."
        )
        raise BadInput(reason, remedy)
    return kept, leaked


def _counted(groups: int) -> str:
    return "1 independent group" if groups == 1 else f"{groups} independent groups"


def _deal(
    rows: Sequence[Example], units: list[list[int]], strata: list[str], wanted: tuple[int, int, int], seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...], tuple[Example, ...]]:
    """Give each unit to the split that lacks most rows in proportion to what has been dealt."""
    ordered = sorted(units, key=lambda unit: (_stratum(unit, strata), _draw(rows, unit, seed)))
    total = sum(wanted)
    parts: list[list[int]] = [[], [], []]
    dealt = 0
    for unit in ordered:
        dealt += len(unit)
        lack = [
            share * dealt / total - len(part) if share else -math.inf for share, part in zip(wanted, parts, strict=True)
        ]
        parts[lack.index(max(lack))] += unit
    _fill_empty(parts, wanted, units)
    _bring_unseen_labels(parts, units, strata)
    train, validation, test = (tuple(rows[index] for index in sorted(part)) for part in parts)
    return train, validation, test


def _fill_empty(parts: list[list[int]], wanted: tuple[int, int, int], units: list[list[int]]) -> None:
    """With few large units a split can stay empty: it gets the smallest unit of the split that holds most units."""
    for number, share in enumerate(wanted):
        if share and not parts[number]:
            held = [[unit for unit in units if unit[0] in part] for part in map(set, parts)]
            richest = max(range(3), key=lambda i: len(held[i]))
            moved = min(held[richest], key=len)
            parts[richest] = [index for index in parts[richest] if index not in moved]
            parts[number] = list(moved)


def _bring_unseen_labels(parts: list[list[int]], units: list[list[int]], strata: list[str]) -> None:
    """A label that only held-out rows have could not be learned: it moves to train, unless that empties a split."""
    known = {strata[index] for index in parts[0]}
    where = {index: number for number in (1, 2) for index in parts[number]}
    for unit in units:
        number = where.get(unit[0])
        if number is None or {strata[index] for index in unit} <= known or len(parts[number]) == len(unit):
            continue
        moved = set(unit)
        parts[number] = [index for index in parts[number] if index not in moved]
        parts[0] += unit
        known |= {strata[index] for index in unit}


def _stratum(unit: list[int], strata: list[str]) -> str:
    """The most frequent stratum of a unit's rows, the first in the alphabet among equals."""
    counts = Counter(strata[index] for index in unit)
    return min(counts, key=lambda value: (-counts[value], value))


def _draw(rows: Sequence[Example], unit: list[int], seed: int) -> str:
    """A unit's random place: a hash of the seed and its rows' content."""
    content = min(rows[index].id + rows[index].group for index in unit)
    return blake2b(f"{seed} {content}".encode(), digest_size=16).hexdigest()


def _conflicts(rows: Sequence[Example]) -> int:
    answers: dict[tuple[object, ...], set[str]] = {}
    for row in rows:
        answers.setdefault(tuple((m.role, m.content) for m in row.messages), set()).add(row.answer)
    return sum(len(found) > 1 for found in answers.values())


def _notes(test: int, train: int, leaked: int) -> tuple[str, ...]:
    notes = []
    if test < INDICATIVE_BELOW:
        notes.append(f"{test} test rows: figures are indicative; 300 or more give narrow intervals.")
    if leaked:
        notes.append(f"{leaked} rows were taken out because they repeat the test file.")
    if train < test:
        notes.append(f"Train has fewer rows ({train}) than test ({test}).")
    return tuple(notes)


class _UnionFind:
    """Sets that merge; find names a set by one of its members."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def find(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def unite(self, one: int, other: int) -> None:
        self.parent[self.find(one)] = self.find(other)
