"""Check a file of examples: what is bad, what repeats, what contradicts, what leaks, how long and how balanced it is.

The file is streamed. Of each row only hashes, a line number, a length and a MinHash signature stay in memory (about 300
bytes at the peak), so a million rows fit below 1 GB. Bad rows do not stop the check; whether there are too many of them
is for the caller to ask (`CheckReport.require_good`).
"""

from __future__ import annotations

import dataclasses
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chapeta.errors import BadInput, TooManyBadRows
from chapeta.examples.balance import Balance
from chapeta.examples.columns import Columns
from chapeta.examples.duplicates import Similar, comparable, setting
from chapeta.examples.lengths import CountTokens, Fit, Lengths
from chapeta.examples.read import read
from chapeta.examples.rows import BadRow, json_text
from chapeta.examples.secrets import Finding, find_secrets
from chapeta.examples.source import Progress, Source
from chapeta.types import Example, Json

CONTEXT_TOKENS = 8192
KEPT_BAD_ROWS = 1000
KEPT_FINDINGS = 1000
KEPT_CLUSTERS = 100
LINES_OF_A_CLUSTER = 10


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the check found. Lists are cut (bad rows and findings at 1,000, clusters at 100); counts are of all rows.

    exact_duplicates: rows that repeat an earlier row, input and answer.
    near_duplicates:  further rows that are nearly an earlier row (see `duplicates.py`); near_clusters holds the lines.
    conflicts:        inputs that occur with different answers; conflict_lines holds their lines.
    near_conflicts:   clusters of near duplicates whose answers differ.
    labels:           rows by label where the answers are a closed set, most frequent first; None otherwise.
    fields:           the same for each field of JSON answers whose values are a closed set; None for other answers.
    leakage_removed:  training rows dropped by the split because they repeat a test row; None before the split.
    """

    source: str
    format: str
    rows: int
    good: int
    bad: int
    accepted_bad_share: float
    bad_rows: tuple[BadRow, ...]
    bad_by_reason: dict[str, int]
    exact_duplicates: int
    near_duplicates: int
    near_clusters: tuple[tuple[int, ...], ...]
    conflicts: int
    conflict_lines: tuple[tuple[int, ...], ...]
    near_conflicts: int
    findings: tuple[Finding, ...]
    findings_by_kind: dict[str, int]
    lengths: Lengths | None
    labels: dict[str, int] | None
    fields: dict[str, dict[str, int]] | None = None
    leakage_removed: int | None = None

    @property
    def bad_share(self) -> float:
        return self.bad / self.rows if self.rows else 0.0

    def require_good(self) -> None:
        """`TooManyBadRows` when no row is good or the share of bad ones is above the accepted one."""
        if self.good and self.bad_share <= self.accepted_bad_share:
            return
        worst = next(iter(self.bad_by_reason), "")
        first = next((row for row in self.bad_rows if row.reason == worst), None)
        where = f" Most often: {worst} First in line {first.line}." if first else ""
        share = f"{100 * self.bad_share:.1f} %, accepted are {100 * self.accepted_bad_share:.1f} %"
        reason = f"{self.bad:,} of {self.rows:,} rows of {self.source} are bad ({share}).{where}"
        raise TooManyBadRows(reason, first.remedy if first else "")

    def to_json(self) -> Json:
        return {**dataclasses.asdict(self), "bad_share": self.bad_share}


def check(
    path: str | Path | Source,
    columns: Columns | None = None,
    count_tokens: CountTokens | None = None,
    context_tokens: int = CONTEXT_TOKENS,
    accepted_bad_share: float = 0.05,
    progress: Progress | None = None,
) -> CheckReport:
    """Read every row once and report. `BadInput` only where the file as a whole cannot be read or has no row."""
    rows = read(path, columns, progress)
    fit = Fit(context_tokens, count_tokens)
    seen = _Seen()
    for row in rows:
        fault = None if isinstance(row, BadRow) else fit.fault(row)
        if isinstance(row, BadRow):
            seen.bad(row)
        elif fault is not None:
            seen.bad(fault.at(row.line))
        else:
            seen.good(row)
            fit.measure(row)
    if not seen.rows:
        raise BadInput(f"{rows.source.name} has no example after its first line.", "Add at least ten examples.")
    return seen.report(rows.source.name, rows.format, accepted_bad_share, fit.lengths(), progress)


def good_examples(
    path: str | Path | Source,
    columns: Columns | None = None,
    count_tokens: CountTokens | None = None,
    context_tokens: int = CONTEXT_TOKENS,
) -> Iterator[Example]:
    """The rows that `check` counts as good, in file order."""
    fit = Fit(context_tokens, count_tokens)
    return (row for row in read(path, columns) if isinstance(row, Example) and fit.fault(row) is None)


U64 = npt.NDArray[np.uint64]
Lines = tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class _Seen:
    """What is kept of the rows read so far."""

    rows: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    balance: Balance = field(default_factory=Balance)
    lines: array[int] = field(default_factory=lambda: array("q"))
    inputs: array[int] = field(default_factory=lambda: array("Q"))
    answers: array[int] = field(default_factory=lambda: array("Q"))
    similar: Similar = field(default_factory=Similar)
    last_system: str = ""

    def bad(self, row: BadRow) -> None:
        self.rows += 1
        self.reasons[row.reason] += 1
        if len(self.bad_rows) < KEPT_BAD_ROWS:
            self.bad_rows.append(row)

    def good(self, example: Example) -> None:
        self.rows += 1
        self.lines.append(example.line)
        turns = "\x1e".join(f"{message.role}\x1f{message.content}" for message in example.messages)
        self.inputs.append(_hash64(turns + json_text(example.tools) if example.tools else turns))
        self.answers.append(_hash64(example.answer))
        self.similar.add(comparable(example), setting(example))
        self.balance.add(example.answer)
        self._look_for_secrets(example)

    def report(
        self, source: str, form: str, accepted: float, lengths: Lengths | None, progress: Progress | None
    ) -> CheckReport:
        inputs, answers = np.array(self.inputs, np.uint64), np.array(self.answers, np.uint64)
        lines = np.array(self.lines, np.int64)
        exact = len(inputs) - len(np.unique(inputs ^ (answers * np.uint64(0x9E3779B97F4A7C15))))
        conflicts, conflict_lines = _differing(inputs, answers, lines)
        cluster = self.similar.clusters(progress).astype(np.uint64)
        near_conflicts, _ = _differing(cluster, answers, lines)
        near = len(cluster) - len(np.unique(cluster)) - exact
        good = len(inputs)
        return CheckReport(
            source=source,
            format=form,
            rows=self.rows,
            good=good,
            bad=self.rows - good,
            accepted_bad_share=accepted,
            bad_rows=tuple(self.bad_rows),
            bad_by_reason=dict(self.reasons.most_common()),
            exact_duplicates=exact,
            near_duplicates=max(0, near),
            near_clusters=_grouped_lines(cluster, lines),
            conflicts=conflicts,
            conflict_lines=conflict_lines,
            near_conflicts=near_conflicts,
            findings=tuple(self.findings),
            findings_by_kind=dict(self.kinds.most_common()),
            lengths=lengths,
            labels=self.balance.labels(),
            fields=self.balance.fields(),
        )

    def _look_for_secrets(self, example: Example) -> None:
        for message in example.messages:
            if message.role == "system":
                if message.content == self.last_system:
                    continue
                self.last_system = message.content
            self._found(message.content, example.line)
        self._found(example.answer, example.line)

    def _found(self, text: str, line: int) -> None:
        for finding in find_secrets(text, line):
            self.kinds[finding.kind] += 1
            if len(self.findings) < KEPT_FINDINGS:
                self.findings.append(finding)


def _hash64(text: str) -> int:
    """64 bits: among a million rows two differ and collide with a probability of 3e-8."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _differing(keys: U64, answers: U64, lines: npt.NDArray[np.int64]) -> tuple[int, Lines]:
    """How many keys occur with more than one answer, and the lines of the first of them."""
    if not len(keys):
        return 0, ()
    order = np.lexsort((answers, keys))
    key, answer = keys[order], answers[order]
    torn = (key[1:] == key[:-1]) & (answer[1:] != answer[:-1])
    conflicting = np.unique(key[1:][torn])
    chosen = np.isin(keys, conflicting)
    return len(conflicting), _grouped_lines(keys[chosen], lines[chosen])


def _grouped_lines(keys: U64, lines: npt.NDArray[np.int64]) -> Lines:
    """The lines of the first groups that have at least two rows, in file order."""
    _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts > 1)
    kept = repeated[np.argsort(first[repeated])][:KEPT_CLUSTERS]
    groups = []
    for group in kept.tolist():
        groups.append(tuple(lines[np.flatnonzero(inverse == group)][:LINES_OF_A_CLUSTER].tolist()))
    return tuple(groups)


__all__ = ["CheckReport", "Columns", "Finding", "Lengths", "check", "good_examples"]
