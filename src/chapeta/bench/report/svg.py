"""The few things a picture is made of: escaped SVG elements, scales, ticks, and an estimate of how wide a text will be.

Colours and type sizes live in report.css by class, so pictures follow light, dark and print without being drawn again.
A picture is drawn twice, for wide and for narrow screens, because scaling one drawing down makes its text unreadable.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDE_PX = 800
NARROW_PX = 340
FONT_PX = 13


def both_widths(draw: Callable[[int], Markup]) -> Markup:
    """The picture for wide and for narrow screens; report.css shows one of them."""
    wide, narrow = draw(WIDE_PX), draw(NARROW_PX)
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(wide, narrow)


def drawing(width: float, height: float, description: str, *children: Markup) -> Markup:
    """The whole picture; `description` is what a screen reader says in its place."""
    box = f"0 0 {_number(width)} {_number(height)}"
    return element("svg", *children, viewBox=box, role="img", aria_label=description)


def element(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """One SVG element, everything escaped. `class_` is class, other underscores are hyphens; None leaves it out."""
    parts = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
        if value is not None
    ]
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(parts), inner)


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "start", **more: object) -> Markup:
    """A line of text with its baseline at y."""
    return element("text", content, x=x, y=y, class_=class_ or None, text_anchor=anchor, **more)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def dot(x: float, y: float, radius: float, class_: str, tip: str = "") -> Markup:
    """A point; `tip` shows when the pointer rests on it."""
    return element("circle", *([element("title", tip)] if tip else []), cx=x, cy=y, r=radius, class_=class_)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels, linear or logarithmic. Values outside the domain are drawn at its edge."""

    low: float
    high: float
    start_px: float
    end_px: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(max(v, 1e-12)) if self.log else v for v in (self.low, self.high, value))
        share = (min(max(value, low), high) - low) / (high - low) if high > low else 0.5
        return self.start_px + share * (self.end_px - self.start_px)

    def ticks(self, most: int) -> list[float]:
        """At most `most` (and at least one) round values within the domain."""
        return _log_ticks(self.low, self.high, most) if self.log else _linear_ticks(self.low, self.high, most)


def padded(low: float, high: float, floor: float | None = None, ceiling: float | None = None) -> tuple[float, float]:
    """A domain with 6 % of air at both ends, which stays within floor and ceiling."""
    air = (high - low) * 0.06 or abs(high) * 0.06 or 1.0
    padded_low = low - air if floor is None else max(floor, low - air)
    padded_high = high + air if ceiling is None else min(ceiling, high + air)
    return padded_low, padded_high


def text_width(content: str, font_px: float = FONT_PX) -> float:
    """A generous estimate of the width of a text in pixels: system fonts differ, and labels must not touch."""
    return sum(_share_of_em(character) for character in content) * font_px


def shorten(content: str, width_px: float, font_px: float = FONT_PX) -> str:
    """The text, or its two ends around an ellipsis, so that it is at most `width_px` wide."""
    if text_width(content, font_px) <= width_px:
        return content
    for kept in range(len(content) - 1, 1, -1):
        head, tail = math.ceil(kept / 2), kept // 2
        short = f"{content[:head].rstrip()}…{content[len(content) - tail :].lstrip()}"
        if text_width(short, font_px) <= width_px:
            return short
    return "…"


def _share_of_em(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in "mwMW@%":
        return 0.95
    if character in " .,:;il|'!jtf()[]/-\u00a0":
        return 0.42
    return 0.72 if character.isupper() else 0.63


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / max(most, 1)))
    for step in (power * factor for factor in (1, 2, 2.5, 5, 10, 20)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= max(most, 1):
            break
    return [i * step for i in range(first, last + 1)] or [low]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**decade for decade in decades for factor in factors]
        values = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(values) <= most:
            return values or [low]
    return values[:: math.ceil(len(values) / most)]


def _number(value: object) -> str:
    """Coordinates with one decimal, which is finer than anyone can see and keeps the page small."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float | int) else str(value)
