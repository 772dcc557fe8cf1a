"""One row of a file: the `Example` it makes, or the `BadRow` that says why not.

Readers of every format end here, so that what counts as an empty answer, a weight or a broken text is decided once.
A converter raises `RowFault`; the reader turns it into a `BadRow` with the line and goes on with the next row.
Reasons are short fixed sentences, so that they can be counted; what is particular to a row stands in `value`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from chapeta.types import Example, Json, Message

ONE_FORMAT = "Keep one format per file: convert the row or move it to a file of its own."
FIX_ENCODING = "Save the file as UTF-8."


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used. `line` is 1-based; `value` is a short excerpt of what was found."""

    line: int
    reason: str
    remedy: str
    value: str = ""


class RowFault(Exception):
    """Raised by a converter for the row at hand; never leaves this package."""

    def __init__(self, reason: str, remedy: str, value: object = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.value = reason, remedy, value

    def at(self, line: int) -> BadRow:
        return BadRow(line, self.reason, self.remedy, excerpt(self.value))


def make_example(
    messages: tuple[Message, ...],
    answer: str,
    line: int,
    weight: float = 1.0,
    tools: tuple[Json, ...] = (),
    group: str = "",
) -> Example:
    """The example, or `RowFault` when there is nothing to ask, nothing to learn, or a text is not valid Unicode.

    An answer of one line loses the white space around it ("billing " and "billing" are one label, and old
    prompt/completion files start each completion with a space); longer answers stay as they are.
    """
    if not any(message.content.strip() for message in messages):
        raise RowFault("The input is empty.", "Give the row an input, or delete it.")
    bare = answer.strip()
    if not bare:
        raise RowFault("The answer is empty.", "Give the row an answer, or delete it.")
    if weight == 0:
        raise RowFault(
            "Nothing in the row is trained (weight 0).", "Give the answer a weight above 0, or delete the row."
        )
    kept = answer if "\n" in bare else bare
    for text in (*(message.content for message in messages), kept, group):
        require_unicode(text)
    if tools:
        require_unicode(json_text(tools))
    return Example(messages, kept, weight, tools, group, line)


def require_unicode(text: str) -> None:
    """A lone surrogate is half a character: no tokenizer and no UTF-8 file can hold it."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        reason = "A text holds a lone surrogate (half of a character)."
        raise RowFault(reason, "Export the text again, or delete the character.", text) from None


def weight_of(value: Any) -> float:
    """A loss weight between 0 and 1; nothing is 1. Text (from CSV) is read as a number."""
    if value is None or value == "":
        return 1.0
    try:
        weight = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        weight = math.nan
    if not 0.0 <= weight <= 1.0:
        raise RowFault("A weight is not a number between 0 and 1.", "Write 0, 1 or a number between.", value)
    return weight


def json_text(value: Any, sort_keys: bool = False) -> str:
    """Compact JSON text; key order is kept unless sorted. Dates and decimals of a table become their text."""
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=sort_keys, default=str
        )
    except RecursionError:
        raise RowFault("JSON is nested too deeply.", "Flatten the value, or delete the row.") from None
    except (ValueError, TypeError):
        raise RowFault("A number is NaN or infinite.", "Write null or a number.", value) from None


def as_text(value: Any) -> str:
    """A text as it is, nothing as "", anything else as compact JSON text."""
    if isinstance(value, str):
        return value
    return "" if value is None else json_text(value)


def excerpt(value: object, characters: int = 80) -> str:
    """The first characters on one line, safe to print in any encoding."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        text = type(value).__name__
    flat = " ".join(text[: 4 * characters].split())
    short = flat if len(flat) <= characters else flat[: characters - 1] + "…"
    return short.encode("utf-8", "backslashreplace").decode()
