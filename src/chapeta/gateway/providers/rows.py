"""Reading a list of models that nobody guarantees: what is missing or of a wrong type counts as not said.

A row without a usable id is left out; nothing here raises, whatever a provider sends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chapeta.gateway.providers.remote import ReadModels
from chapeta.types import Json, ModelInfo

LONGEST_ID = 300
CONTEXT_FIELDS = ("context_length", "max_model_len", "context_window", "max_context_length", "max_input_tokens")


def plain_reader(name: str) -> ReadModels:
    """Reads the list of any OpenAI-compatible address: ids, dates, and the context where the server says it."""
    return lambda payload: lines(payload, lambda row: plain_line(name, row))


def plain_line(name: str, row: Json) -> ModelInfo | None:
    """What an OpenAI-compatible list says of a model: id, when it was made, perhaps its context window."""
    model = model_id(row)
    if not model:
        return None
    return ModelInfo(
        id=f"{name}/{model}",
        provider=name,
        name=text(row, "display_name", "name"),
        context_tokens=count(row, *CONTEXT_FIELDS) or count(part(row, "meta"), "n_ctx", "n_ctx_train"),
        created=day(row.get("created")),
    )


def lines(payload: Any, read: Callable[[Json], ModelInfo | None]) -> Sequence[ModelInfo]:
    """A line for each row that can be read, each id once."""
    found = {line.id: line for row in rows(payload) if (line := read(row)) is not None}
    return tuple(found.values())


def rows(payload: Any) -> list[Json]:
    """The rows of a list: bare, as Together's, or under `data`, as OpenAI's."""
    found = payload.get("data") if isinstance(payload, dict) else payload
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def model_id(row: Json) -> str:
    """The row's id, "" if it has none that could be typed."""
    value = row.get("id")
    good = isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable() and " " not in value
    return str(value) if good else ""


def text(row: Json, *names: str) -> str:
    """The first of these fields that is a text, on one line."""
    found = next((value for name in names if isinstance(value := row.get(name), str) and value.strip()), "")
    return " ".join("".join(c if c.isprintable() else " " for c in found[:LONGEST_ID]).split())


def words(value: Any) -> tuple[str, ...]:
    """The single words of a list, such as modalities and parameters."""
    return tuple(w for w in value if isinstance(w, str) and w.isidentifier()) if isinstance(value, list) else ()


def part(row: Json, name: str) -> Json:
    """An object inside a row, {} if there is none."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def count(row: Json, *names: str) -> int | None:
    """The first of these fields that is a number above 0."""
    for name in names:
        value = row.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e15:
            return int(value)
    return None


def rate(value: Any, times: int = 1) -> float | None:
    """A price, given as number or text. Negative (OpenRouter's -1: it varies), NaN and the like are unknown.

    times: makes USD per million of USD per token, in decimals: 1e6 times the float of "0.0000011" is not 1.1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        exact = Decimal(str(value))
        usd = float(exact * times) if exact.is_finite() and exact >= 0 else math.inf
    except (ArithmeticError, ValueError):
        return None
    return usd if math.isfinite(usd) else None


def day(value: Any) -> str:
    """The ISO date of a Unix time or of an RFC 3339 text, "" if it is neither. 1970 stands for "unknown"."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        else:
            return ""
    except (ValueError, OverflowError, OSError):
        return ""
    return found.date().isoformat() if found.year > 1970 else ""
