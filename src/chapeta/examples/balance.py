"""How often each answer stands in a file, or each value in the fields of JSON answers: counted while the file streams.

What takes more than 1,000 values is no choice between values, and is no longer counted.
"""

from __future__ import annotations

import json
from collections import Counter

from chapeta.examples.task import OBJECT_SHARE, closed_set, kind_of, parsed_object

MOST_VALUES = 1000


class Balance:
    """Counts of labels and of field values."""

    def __init__(self) -> None:
        self._rows = self._objects = 0
        self._labels: Counter[str] | None = Counter()
        self._fields: dict[str, Counter[str] | None] = {}

    def add(self, answer: str) -> None:
        """Takes one row's answer."""
        self._rows += 1
        self._labels = _counted(self._labels, answer)
        found = parsed_object(answer)
        if found is None:
            return
        self._objects += 1
        for name, value in found.items():
            if len(self._fields) < MOST_VALUES or name in self._fields:
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                self._fields[name] = _counted(self._fields.get(name, Counter()), shown)

    def labels(self) -> dict[str, int] | None:
        """Rows by label, most frequent first; None where the answers are not labels."""
        is_closed = self._labels and kind_of(self._labels) == "classify"
        return dict(self._labels.most_common()) if self._labels and is_closed else None

    def fields(self) -> dict[str, dict[str, int]] | None:
        """The same for each field whose values are a closed set; None where the answers are not JSON objects."""
        if not self._objects or self._objects < OBJECT_SHARE * self._rows:
            return None
        closed = {name: counts for name, counts in self._fields.items() if counts and closed_set(counts)}
        return {name: dict(counts.most_common()) for name, counts in closed.items()}


def _counted(counts: Counter[str] | None, value: str) -> Counter[str] | None:
    """The counts with one more value; None once there are too many."""
    if counts is None:
        return None
    counts[value] += 1
    return counts if len(counts) <= MOST_VALUES else None
