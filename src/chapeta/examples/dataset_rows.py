"""A line of a dataset as a row, and the way back; the same for preference pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from chapeta.errors import BadInput
from chapeta.examples.columns import Columns
from chapeta.examples.formats import FORMATS
from chapeta.examples.json_rows import TOO_LONG, parse
from chapeta.examples.rows import RowFault, excerpt, make_example
from chapeta.examples.source import MAX_LINE_BYTES
from chapeta.types import Json, Message

CHAT = next(one for one in FORMATS if one.name == "OpenAI chat")
COLUMNS = Columns(group="group", weight="weight")
MOST_SOURCE = 300
VERSION_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a dataset. place: from 0, in the file; -1 unknown. id: its own, or made of its text where it has none.

    version: of its text; another one after each change. fields: what it has beside messages. fault: why nothing can be
    learned from it, "" where it can; then there are no messages, and text is what stands in the file, shortened.
    """

    id: str
    version: str
    place: int = field(compare=False)
    messages: tuple[Message, ...] = ()
    answer: str = ""
    source: str = ""
    added_s: float | None = None
    fields: Json = field(default_factory=dict, hash=False)
    fault: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to a conversation, of which the first is liked better. No messages: the line could not be read."""

    id: str
    messages: tuple[Message, ...] = ()
    preferred: str = ""
    other: str = ""
    source: str = ""


def row_line(fields: Json, messages: Sequence[Message], answer: str) -> bytes:
    """A row as a line, without its end. Raises BadInput where nothing could be learned from it."""
    turns = tuple(messages)
    try:
        answer = make_example(turns, answer, 0).answer
    except RowFault as fault:
        raise BadInput(fault.reason, fault.remedy) from None
    return _line({"messages": [*map(_turn, turns), _said(answer)], **_safe(fields)})


def row_of(line: bytes, place: int) -> Row:
    """The row of a line, whatever stands there."""
    version = _version(line)
    try:
        if len(line) > MAX_LINE_BYTES:
            raise TOO_LONG
        value = parse(line)
        example = CHAT.example(value, place + 1, COLUMNS)
    except RowFault as fault:
        shown = f"{fault.reason} {excerpt(fault.value)}".strip()
        return Row(
            _own_id(line), version, place, fault=shown, text=excerpt(line[:2000].decode("utf-8", "replace"), 400)
        )
    fields = {key: kept for key, kept in value.items() if key != "messages"}
    added = fields.get("added_s")
    return Row(
        _id_of(fields, version), version, place, example.messages, example.answer, str(fields.get("source") or ""),
        float(added) if isinstance(added, int | float) else None, fields,
    )  # fmt: skip


def pair_line(fields: Json, messages: Sequence[Message], preferred: str, other: str) -> bytes:
    """A preference pair as a line in OpenAI's form. Raises BadInput where it says nothing."""
    turns = tuple(messages)
    try:
        preferred, other = (make_example(turns, answer, 0).answer for answer in (preferred, other))
    except RowFault as fault:
        raise BadInput(fault.reason, fault.remedy) from None
    if preferred == other:
        raise BadInput("Both answers are the same.", "Choose between two different ones.")
    asked = {"messages": [*map(_turn, turns)]}
    return _line(
        {
            "input": asked,
            "preferred_output": [_said(preferred)],
            "non_preferred_output": [_said(other)],
            **_safe(fields),
        }
    )


def pair_of(line: bytes) -> Pair:
    """The pair of a line; without messages where there is none."""
    version = _version(line)
    try:
        value = parse(line)
        answers = [value[key][-1]["content"] for key in ("preferred_output", "non_preferred_output")]
        turns = [CHAT.example({"messages": [*value["input"]["messages"], _said(one)]}, 0, COLUMNS) for one in answers]
        return Pair(
            _id_of(value, version), turns[0].messages, turns[0].answer, turns[1].answer, str(value.get("source") or "")
        )
    except (RowFault, KeyError, TypeError, IndexError, AttributeError):
        return Pair(_own_id(line))


def may_have_id(line: bytes, row_id: str) -> bool:
    """Whether it is worth parsing this line to find the row with this id: most are passed over a hundred times faster."""
    if len(row_id) == VERSION_DIGITS and _version(line) == row_id:
        return True
    return row_id.encode("utf-8", "replace") in line or json.dumps(row_id)[1:-1].encode() in line


def _version(line: bytes) -> str:
    return sha256(line).hexdigest()[:VERSION_DIGITS]


def _own_id(line: bytes) -> str:
    """The id of a line that cannot be read as a row: the one that stands in it, or one made of its text."""
    try:
        value = parse(line)
    except RowFault:
        value = None
    version = _version(line)
    return _id_of(value, version) if isinstance(value, dict) else version


def _id_of(fields: Json, version: str) -> str:
    given = fields.get("id")
    return given if isinstance(given, str) and 0 < len(given) <= 200 else version


def _turn(message: Message) -> Json:
    weight = {} if message.weight == 1 or message.role != "assistant" else {"weight": message.weight}
    return {"role": message.role, "content": message.content, **weight}


def _said(answer: str) -> Json:
    return {"role": "assistant", "content": answer}


def _safe(fields: Json) -> Json:
    """Where a row came from is any text: shortened, and without halves of characters."""
    source = str(fields.get("source") or "")[:MOST_SOURCE].encode("utf-8", "replace").decode()
    return {**fields, "source": source} if "source" in fields else fields


def _line(value: Json) -> bytes:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if len(line) > MAX_LINE_BYTES:
        raise BadInput(f"The example has {len(line):,} bytes.", f"Shorten it to at most {MAX_LINE_BYTES:,}.")
    return line
