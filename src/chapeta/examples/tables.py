"""Rows of CSV, TSV and Parquet files as dictionaries, streamed.

A quote that is never closed must not swallow the rest of the file: a record that runs into the end, or that spans lines
and has the wrong number of fields, is one bad row, and reading goes on with the line after its first.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from chapeta.errors import BadInput, Missing
from chapeta.examples.json_rows import TOO_LONG
from chapeta.examples.rows import FIX_ENCODING, BadRow, RowFault
from chapeta.examples.source import MAX_LINE_BYTES, Progress, Source

DELIMITERS = ",;\t|"
UNCLOSED = RowFault("A quoted field has no end.", 'Close the quote; write a quote inside a field as "".')
INVALID_UTF8 = RowFault("The line is not valid UTF-8.", FIX_ENCODING)
BATCH_ROWS = 1024


def delimiter_of(source: Source) -> str:
    """The delimiter that splits the first line into most columns; a comma if none does."""
    text = source.head.decode("utf-8", "replace").lstrip("\ufeff")
    first = next((line for line in re.split(r"[\r\n]", text) if line.strip()), "")
    counts = [len(next(csv.reader([first], delimiter=delimiter), [])) for delimiter in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def delimited_names(source: Source, delimiter: str) -> list[str]:
    """The column names in the first record."""
    for record in _records(source, delimiter, None, None):
        if isinstance(record, BadRow):
            raise BadInput(f"{source.name}: the first line has no column names: {record.reason}", record.remedy)
        names = [name.strip() for name in record[1]]
        if any("\udc80" <= character <= "\udcff" for character in "".join(names)):
            raise BadInput(f"{source.name} is not valid UTF-8 in line {record[0]}.", FIX_ENCODING)
        repeated = sorted({name for name in names if name and names.count(name) > 1})
        if repeated:
            raise BadInput(f"{source.name} has the column {repeated[0]!r} more than once.", "Rename one of them.")
        return names
    raise BadInput(f"{source.name} is empty.", "Give a file with a line of column names and one example per line.")


def delimited_rows(
    source: Source, delimiter: str, names: list[str], progress: Progress | None = None
) -> Iterator[tuple[int, dict[str, str]] | BadRow]:
    """(line number, row) of each record after the first, which holds the names."""
    records = _records(source, delimiter, len(names), progress)
    next(records, None)
    for record in records:
        if isinstance(record, BadRow):
            yield record
            continue
        line, fields = record
        if len(fields) != len(names):
            found = f"{len(fields)} columns, expected {len(names)}"
            remedy = "Quote fields that contain the delimiter."
            yield RowFault("The row has the wrong number of columns.", remedy, found).at(line)
        elif any("\udc80" <= c <= "\udcff" for field in fields if not field.isascii() for c in field):
            yield INVALID_UTF8.at(line)
        else:
            yield line, dict(zip(names, fields, strict=True))


def parquet_names(source: Source) -> list[str]:
    return [str(name) for name in _parquet(source).schema_arrow.names]


def parquet_rows(
    source: Source, names: list[str], progress: Progress | None = None
) -> Iterator[tuple[int, dict[str, Any]] | BadRow]:
    """(1-based row number, row) with the named columns only, by batches of 1,024 rows."""
    file = _parquet(source)
    total, done = max(1, file.metadata.num_rows), 0
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
            for row in batch.to_pylist():
                done += 1
                yield done, row
            if progress is not None:
                progress("read", done / total)
    except (OSError, ValueError) as error:
        raise BadInput(f"{source.name} cannot be read after row {done}: {error}.", "Write the file again.") from None


def _parquet(source: Source) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise Missing(f"Reading {source.name} needs pyarrow.", "Run `pip install 'chapeta[parquet]'`.") from None
    try:
        return pyarrow.parquet.ParquetFile(source.path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise BadInput(f"{source.name} is damaged Parquet: {error}.", "Write the file again.") from None


class _Unclosed(Exception):
    """Ends a record that cannot be completed: end of file, a line too long, or too much text in one record."""


class _Feeder:
    """Gives csv.reader its lines and remembers those of the record at hand, so that they can be read again."""

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self.lines = source.lines(progress)
        self.again: deque[tuple[int, bytes | None]] = deque()
        self.taken: list[tuple[int, bytes | None]] = []
        self.size = 0

    def __iter__(self) -> _Feeder:
        return self

    def __next__(self) -> str:
        item = self.again.popleft() if self.again else next(self.lines, None)
        if item is None:
            if self.taken:
                raise _Unclosed
            raise StopIteration
        self.taken.append(item)
        self.size += len(item[1] or b"")
        if item[1] is None or self.size > MAX_LINE_BYTES:
            raise _Unclosed
        return item[1].decode("utf-8", "surrogateescape")

    def start(self) -> None:
        self.taken, self.size = [], 0

    def reread(self) -> None:
        """Give back every line of the record but its first."""
        self.again.extendleft(reversed(self.taken[1:]))


def _records(
    source: Source, delimiter: str, width: int | None, progress: Progress | None
) -> Iterator[tuple[int, list[str]] | BadRow]:
    """(number of its first line, fields) of each record; blank lines are passed over."""
    csv.field_size_limit(MAX_LINE_BYTES)
    feeder = _Feeder(source, progress)
    reader = csv.reader(feeder, delimiter=delimiter)
    while True:
        feeder.start()
        fault: RowFault | None = None
        fields: list[str] = []
        try:
            fields = next(reader)
        except StopIteration:
            return
        except _Unclosed:
            fault = TOO_LONG if feeder.taken[0][1] is None else UNCLOSED
        except csv.Error as error:
            fault = RowFault("The line cannot be read as a table row.", "Quote the field.", str(error))
        line = feeder.taken[0][0]
        if fault is None and len(feeder.taken) > 1 and width is not None and len(fields) != width:
            fault = UNCLOSED
        if fault is not None:
            feeder.reread()
            yield fault.at(line)
        elif any(field.strip() for field in fields):
            yield line, fields
