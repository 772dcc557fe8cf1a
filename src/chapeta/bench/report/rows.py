"""Pictures with one row a name: a dot with its whisker, or two dots joined. Names have a column of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from chapeta.bench.report.svg import NARROW_PX, Scale, dot, drawing, element, line, padded, shorten, text, text_width


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the dot at `value`, the whisker from `low` to `high`, figures as text at the right.

    before: where a hollow dot goes that the whisker joins to the dot (base against tuned); None for a plain whisker.
    """

    name: str
    value: float
    low: float
    high: float
    figures: str
    chosen: bool = False
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """The x axis: its title, how its ticks read, and what it must include (`through`) and not pass."""

    title: str
    tick: Callable[[float], str]
    log: bool = False
    through: tuple[float, ...] = ()
    floor: float | None = None
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded range with a word for it, and the line at `at` that it belongs to."""

    low: float
    high: float
    at: float


@dataclass(frozen=True, slots=True)
class _Layout:
    """Pixels: where tracks start and end, the height of a row, how far its track lies below its top.

    In a narrow picture name and figures stand above the track, else at its sides.
    """

    left: float
    right: float
    pitch: float
    track: float
    narrow: bool


def rows_picture(rows: Sequence[Row], axis: Axis, description: str, width: int, band: Band | None = None) -> Markup:
    """All rows over one axis, first row on top."""
    layout = _layout(rows, width)
    bottom = 10 + layout.pitch * len(rows)
    scale = _scale(rows, axis, layout, band)
    figures = "; ".join(f"{row.name}: {row.figures}" for row in rows)
    return drawing(
        width,
        bottom + 44,
        f"{description} {figures}.",
        *(_band(band, scale, bottom) if band else []),
        *_axis(axis, scale, bottom, width),
        *[mark for i, row in enumerate(rows) for mark in _row(row, 6 + i * layout.pitch, layout, scale, width)],
    )


def _layout(rows: Sequence[Row], width: int) -> _Layout:
    if width <= NARROW_PX:
        return _Layout(8, width - 8, 50, 34, narrow=True)
    names = min(280.0, max(text_width(row.name) for row in rows) + 16)
    figures = min(250.0, max(text_width(row.figures) for row in rows) + 16)
    return _Layout(names, width - figures, 34, 17, narrow=False)


def _scale(rows: Sequence[Row], axis: Axis, layout: _Layout, band: Band | None) -> Scale:
    values = [v for row in rows for v in (row.value, row.low, row.high, row.before) if v is not None]
    values += [*axis.through, *([band.low, band.high, band.at] if band else [])]
    if axis.log:
        return Scale(min(values) / 1.2, max(values) * 1.2, layout.left, layout.right, log=True)
    return Scale(*padded(min(values), max(values), axis.floor, axis.ceiling), layout.left, layout.right)


def _band(band: Band, scale: Scale, bottom: float) -> list[Markup]:
    left, right = scale(band.low), scale(band.high)
    shade = element("rect", x=left, y=2, width=right - left, height=bottom - 2, class_="band")
    return [shade, line(scale(band.at), 2, scale(band.at), bottom, "reference")]


def _axis(axis: Axis, scale: Scale, bottom: float, width: int) -> list[Markup]:
    marks = [line(scale.start_px, bottom, scale.end_px, bottom, "baseline")]
    for value in scale.ticks(max(2, int((scale.end_px - scale.start_px) // 66))):
        marks.append(line(scale(value), 2, scale(value), bottom + 4, "grid"))
        marks.append(text(scale(value), bottom + 18, axis.tick(value), "tick", "middle"))
    marks.append(text(min(scale.end_px, width), bottom + 37, f"{axis.title} →", "axis", "end"))
    return marks


def _row(row: Row, top: float, layout: _Layout, scale: Scale, width: int) -> list[Markup]:
    kind = "chosen" if row.chosen else "other"
    y = top + layout.track
    baseline = top + 16 if layout.narrow else y + 4.5
    name_px = max(90.0, width - text_width(row.figures) - 8) if layout.narrow else layout.left - 14
    figures_px = width - 90.0 if layout.narrow else width - layout.right - 8
    name = shorten(row.name, name_px)
    # Where two dots are joined every row is of the chosen model: its name needs no emphasis.
    name_style = "name chosen" if row.chosen and row.before is None else "name"
    marks = [
        text(0 if layout.narrow else layout.left - 14, baseline, name, name_style, "start" if layout.narrow else "end"),
        text(width - 1, baseline, shorten(row.figures, figures_px), "figures", "end"),
        line(scale(row.low), y, scale(row.high), y, f"whisker {kind}"),
    ]
    if row.before is not None:
        marks.append(dot(scale(row.before), y, 5.5, "dot before"))
    marks.append(dot(scale(row.value), y, 5.5, f"dot {kind}", f"{row.name}: {row.figures}"))
    return marks
