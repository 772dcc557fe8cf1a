"""Values that any of our databases takes, from values that come from anywhere."""

from __future__ import annotations

import math
from typing import Any

MOST_INTEGER = 2**63 - 1
MOST_MOMENT_S = 1e11  # the year 5138


def text(given: str) -> str:
    """A text without NUL, which PostgreSQL does not hold, and without halves of characters, which UTF-8 does not."""
    try:
        given.encode()
    except UnicodeEncodeError:
        given = given.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # two halves become one again
    return given.replace("\0", "\ufffd")


def texts(given: Any) -> Any:
    """A JSON value with such texts only."""
    if isinstance(given, str):
        return text(given)
    if isinstance(given, list | tuple):
        return [texts(item) for item in given]
    if isinstance(given, dict):
        return {text(str(key)): texts(item) for key, item in given.items()}
    return given


def whole(given: Any) -> int | None:
    """A whole number that a column holds; None for anything else."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not -MOST_INTEGER <= given <= MOST_INTEGER:
        return None
    return int(given)


def amount(given: Any, most: float = 1e15) -> float | None:
    """A finite number from 0; None for anything else."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        return None
    return float(given) if 0 <= given < most else None
