"""The tables in a backup: a line of JSON a row, bytes as Base64, no longer when written than may be read."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import IO, Any

import msgspec
from sqlalchemy import Boolean, Connection, Double, Integer, LargeBinary, Table, select

from chapeta.progress import Progress
from chapeta.storage import tables
from chapeta.storage.zips import DAMAGE
from chapeta.types import Json

# Bytes of a line. The largest that a chat makes is a message of 16 Mi characters with as many of reasoning, 4 bytes each.
SMALL_ROW, LARGE_ROW = 4 << 20, (2 * 4 * 16 << 20) + (4 << 20)

# Parents before children. Access keys and their spend stay out: a backup is no way to be let in.
TABLES: dict[str, tuple[Table, int]] = {
    "chats": (tables.chats, SMALL_ROW),
    "turns": (tables.turns, LARGE_ROW),
    "contents": (tables.contents, LARGE_ROW),
    "attachments": (tables.attachments, SMALL_ROW),
    "requests": (tables.requests, LARGE_ROW),
    "summaries": (tables.summaries, LARGE_ROW),
    "calls": (tables.calls, LARGE_ROW),
}


def write_table(
    connection: Connection, archive: zipfile.ZipFile, name: str, left_out: Counter[str], listener: Progress
) -> int:
    table, most = TABLES[name]
    columns = [column for column in table.columns if column.name != "number"]
    rows = select(*columns)
    if "number" in table.c:
        rows = rows.order_by(table.c.number)  # parents first
    encode = msgspec.json.Encoder().encode
    at_once = 4 if table is tables.contents else 100
    count = 0
    with archive.open(f"tables/{name}.jsonl", "w", force_zip64=True) as file:
        for row in connection.execution_options(yield_per=at_once).execute(rows).mappings():
            values: Json = dict(row)
            if table is tables.chats:
                values["tags"] = _tags(connection, values["id"])
            line = encode(values) + b"\n"
            if len(line) > most:
                left_out[_too_long(most)] += 1
                continue
            file.write(line)
            count += 1
            if count % 1000 == 0:
                listener.advance(count, 0, name)
    return count


def _tags(connection: Connection, chat_id: str) -> list[str]:
    own = select(tables.chat_tags.c.tag).where(tables.chat_tags.c.chat_id == chat_id)
    return list(connection.execute(own).scalars())


def read_table(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, refused: Counter[str]
) -> Iterator[tuple[Json, int]]:
    """The rows of a table with the sizes of their lines; what is none is counted."""
    table, most = TABLES[name]
    decode = msgspec.json.Decoder(_row_type(table)).decode
    try:
        with archive.open(info) as packed, io.BufferedReader(packed, 1 << 20) as file:  # type: ignore[type-var]
            while line := file.readline(most + 1):
                if len(line) > most:
                    refused[_too_long(most)] += 1
                    _skip_line(file, line)
                    continue
                try:
                    yield msgspec.structs.asdict(decode(line)), len(line)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    refused["not a row of this table"] += 1
    except DAMAGE:
        refused[f"damaged from some place on: {info.filename}"] += 1


def _too_long(most: int) -> str:
    return f"rows of more than {most >> 20} MiB"


def _skip_line(file: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(1 << 20)


@cache
def _row_type(table: Table) -> type[msgspec.Struct]:
    """What is read of a line: the columns in their types, so that no other content takes memory."""
    fields: list[tuple[str, Any, Any]] = [
        (str(column.name), _type(column.type) | None, None) for column in table.columns if column.name != "number"
    ]
    if table is tables.chats:
        fields.append(("tags", list[str], msgspec.field(default_factory=list)))
    return msgspec.defstruct("Row", fields)  # what else stands in the line is passed over


def _type(kind: Any) -> Any:
    if isinstance(kind, Boolean):
        return bool
    if isinstance(kind, Integer | Double):
        return int | float
    return bytes if isinstance(kind, LargeBinary) else str
