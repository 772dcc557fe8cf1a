"""Figures as people read them: per cent, points, dollars, milliseconds. Unknown is said, never drawn as 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard

from chapeta.bench.results import Estimate

UNKNOWN = "unknown"
NBSP = "\u00a0"
MINUS = "\u2212"
_NESTED = (Mapping, list, tuple)


def percent(share: float | None, digits: int = 1) -> str:
    """0.912 → 91.2 %."""
    if not _known(share):
        return UNKNOWN
    return f"{_fixed(share * 100, digits)}{NBSP}%"


def interval(estimate: Estimate) -> str:
    """The 95 % interval of a share: 88.1 – 93.5 %."""
    if not (_known(estimate.low) and _known(estimate.high)):
        return UNKNOWN
    return f"{_fixed(estimate.low * 100)}{NBSP}–{NBSP}{_fixed(estimate.high * 100)}{NBSP}%"


def points(share: float | None) -> str:
    """A difference of shares in percentage points, signed: −0.021 → −2.1."""
    if not _known(share):
        return UNKNOWN
    number = _fixed(share * 100)
    return number if number.startswith(MINUS) or number == "0.0" else f"+{number}"


def points_interval(estimate: Estimate) -> str:
    """The 95 % interval of a difference in points: −4.0 to +0.2."""
    return f"{points(estimate.low)}{NBSP}to{NBSP}{points(estimate.high)}"


def usd(amount: float | None) -> str:
    """None is unknown; 0 is a model on the user's own machine, which nobody bills."""
    if not _known(amount):
        return UNKNOWN
    if amount == 0:
        return "local"
    return f"${amount:,.2f}" if amount >= 1 else f"${_significant(amount, 3)}"


def milliseconds(value: float | None) -> str:
    """85 ms, 1.24 s; under 10 ms with one decimal."""
    if not _known(value):
        return UNKNOWN
    if value >= 1000:
        return f"{value / 1000:.2f}{NBSP}s" if value < 10_000 else f"{value / 1000:,.0f}{NBSP}s"
    return f"{value:.0f}{NBSP}ms" if value >= 10 or value == 0 else f"{value:.1f}{NBSP}ms"


def duration(seconds: float | None) -> str:
    """41 s, 3 min 20 s, 2 h 05 min."""
    if not _known(seconds):
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NBSP}s"
    if whole < 3600:
        return f"{whole // 60}{NBSP}min {whole % 60:02d}{NBSP}s"
    return f"{whole // 3600}{NBSP}h {whole % 3600 // 60:02d}{NBSP}min"


def count(value: float | None) -> str:
    """12345 → 12,345; means under 100 keep one decimal."""
    if not _known(value):
        return UNKNOWN
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def p_value(value: float | None) -> str:
    if not _known(value):
        return f"p {UNKNOWN}"
    return f"p{NBSP}<{NBSP}0.001" if value < 0.001 else f"p{NBSP}={NBSP}{value:.3f}"


def tick(value: float) -> str:
    """A round figure on an axis, with all the digits it has and no more."""
    text = f"{value:,.10g}"
    return text.replace("-", MINUS) if "e" not in text else f"{value:.10f}".rstrip("0")


def tick_percent(share: float) -> str:
    return f"{tick(round(share * 100, 8))}{NBSP}%"


def tick_points(share: float) -> str:
    """Signed percentage points."""
    number = round(share * 100, 8) + 0.0
    return f"+{tick(number)}" if number > 0 else tick(number)


def tick_milliseconds(value: float) -> str:
    return f"{tick(value / 1000)}{NBSP}s" if value >= 1000 else f"{tick(value)}{NBSP}ms"


def label(key: str) -> str:
    """A key of some JSON as words: `near_duplicates` → Near duplicates."""
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def scalar(value: object) -> str:
    """A JSON scalar, or a short list of them, as text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 1000 else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def is_tree(value: object) -> bool:
    """Whether a JSON value needs a list of its own rather than one line."""
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list | tuple) and any(isinstance(v, _NESTED) or len(str(v)) > 40 for v in value)


def is_flat(value: object) -> bool:
    """Whether a JSON value is an object of scalars, which reads best on one line."""
    return isinstance(value, Mapping) and bool(value) and not any(isinstance(v, _NESTED) for v in value.values())


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _fixed(number: float, digits: int = 1) -> str:
    """Fixed decimals with a real minus sign and no negative zero."""
    text = f"{number:.{digits}f}"
    if float(text) == 0:
        return text.lstrip("-")
    return text.replace("-", MINUS)


def _significant(number: float, digits: int) -> str:
    """Significant digits without an exponent, no trailing zeros beyond two decimals: 0.0004, 0.12."""
    decimals = digits - 1 - math.floor(math.log10(number)) if number > 0 else 2
    text = f"{number:.{max(2, decimals)}f}"
    return text.rstrip("0") if len(text.rstrip("0").split(".")[1]) >= 2 else f"{number:.2f}"
