"""Read examples from a file: recognise its format, then stream its rows, good and bad, in bounded memory.

The first readable row decides the format, and the rest must follow it; a row that does not is a `BadRow`, and reading
goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from chapeta.errors import BadInput
from chapeta.examples import json_rows, tables
from chapeta.examples.columns import Columns
from chapeta.examples.formats import Format, recognise
from chapeta.examples.rows import BadRow, RowFault
from chapeta.examples.source import PARQUET_MAGIC, Progress, Source, extension_of, open_source
from chapeta.types import Example

__all__ = ["BadRow", "Columns", "Progress", "Rows", "Source", "open_source", "read"]

ROWS_TO_LOOK_AT = 1000
RawRows = Callable[[Progress | None], Iterator[tuple[int, Any] | BadRow]]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a source, read anew each time one iterates. `format` is its name for people."""

    source: Source
    format: str
    columns: Columns
    _row_format: Format
    _raw_rows: RawRows
    _progress: Progress | None = None

    def __iter__(self) -> Iterator[Example | BadRow]:
        for raw in self._raw_rows(self._progress):
            if isinstance(raw, BadRow):
                yield raw
                continue
            line, row = raw
            try:
                yield self._row_format.example(row, line, self.columns)
            except RowFault as fault:
                yield fault.at(line)
        if self._progress is not None:
            self._progress("read", 1.0)


def read(path: str | Path | Source, columns: Columns | None = None, progress: Progress | None = None) -> Rows:
    """Open and recognise a file of examples ("-" is standard input); iterate over the result for its rows.

    `BadInput` for a file that holds no rows of a known format, before any row is read.
    """
    source = open_source(path)
    chosen = columns or Columns()
    start = source.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    extension = extension_of(source.name)
    if source.head.startswith(PARQUET_MAGIC):
        return _parquet(source, chosen, progress)
    if start == b"[" and extension not in (".csv", ".tsv"):
        return _json(source, chosen, progress, json_rows.json_array, "JSON array")
    if start == b"{" or extension in (".jsonl", ".ndjson", ".json"):
        return _json(source, chosen, progress, json_rows.json_lines, "JSONL")
    return _delimited(source, chosen, progress)


def _json(
    source: Source,
    columns: Columns,
    progress: Progress | None,
    parse: Callable[[Source, Progress | None], Iterator[tuple[int, Any] | BadRow]],
    kind: str,
) -> Rows:
    """The first JSON object decides; lines before it that cannot be parsed are reported when the rows are read."""
    first_fault = "no JSON object"
    for raw in islice(parse(source, None), ROWS_TO_LOOK_AT):
        if isinstance(raw, BadRow):
            if first_fault == "no JSON object":
                first_fault = f"line {raw.line}: {raw.reason} {raw.value}".strip()
        elif isinstance(raw[1], dict):
            row_format, resolved = recognise(raw[1], columns, source.name)
            return Rows(source, f"{row_format.name} {kind}", resolved, row_format, lambda p: parse(source, p), progress)
    remedy = 'Write one JSON object per line, for example {"input": "…", "output": "…"}.'
    raise BadInput(f"{source.name} has no example among its first rows ({first_fault}).", remedy)


def _delimited(source: Source, columns: Columns, progress: Progress | None) -> Rows:
    delimiter = tables.delimiter_of(source)
    names = tables.delimited_names(source, delimiter)
    row_format, resolved = recognise(names, columns, source.name)

    def rows(report: Progress | None) -> Iterator[tuple[int, Any] | BadRow]:
        return tables.delimited_rows(source, delimiter, names, report)

    return Rows(source, "TSV" if delimiter == "\t" else "CSV", resolved, row_format, rows, progress)


def _parquet(source: Source, columns: Columns, progress: Progress | None) -> Rows:
    names = tables.parquet_names(source)
    row_format, resolved = recognise(names, columns, source.name)
    wanted = {*row_format.keys, "system", "tools", "input", "weight", "group"}
    wanted |= {name for name in (resolved.input, resolved.output, resolved.group, resolved.weight) if name}
    read_names = [name for name in names if name in wanted]
    return Rows(source, "Parquet", resolved, row_format, lambda p: tables.parquet_rows(source, read_names, p), progress)
