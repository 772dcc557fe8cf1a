"""The learning curve: loss above, validation score below, one x axis. Two panels, because two y axes mislead."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

from markupsafe import Markup

from chapeta.bench.report import words
from chapeta.bench.report.data import LearningCurve
from chapeta.bench.report.svg import Scale, dot, drawing, element, line, padded, text

_MOST_POINTS = 400
_SMOOTH_FROM = 30
_PANEL_PX = 150
_GAP_PX = 42
Point = tuple[float, float]


def learning_curve_picture(curve: LearningCurve, width: int) -> Markup:
    """Loss by step (raw faint, running mean strong when there are many points), and the validation score."""
    losses = _finite([(p.step, p.loss) for p in curve.points])
    scores = _finite([(p.step, p.validation_score) for p in curve.points])
    steps = [step for step, _ in (*losses, *scores)]
    across = Scale(min(steps), max(steps), 58, width - 20)
    panels: list[Markup] = []
    top = 24.0
    if losses:
        panels += _panel(losses, across, top, "Loss on answer tokens (nats)", words.tick, curve.chosen_step)
        panels.append(_loss_lines(losses, across, _up(losses, top, None)))
        top += _PANEL_PX + _GAP_PX
    if scores:
        panels += _panel(scores, across, top, "Validation score", words.tick_percent, curve.chosen_step, 1.0)
        panels += _score_line(scores, across, _up(scores, top, 1.0), curve.chosen_step)
        top += _PANEL_PX + _GAP_PX
    bottom = top - _GAP_PX
    for value in across.ticks(max(2, width // 90)):
        panels.append(text(across(value), bottom + 18, words.tick(value), "tick", "middle"))
    panels.append(text(width - 4, bottom + 36, "Training step →", "axis", "end"))
    return drawing(width, bottom + 42, _description(curve, losses, scores), *panels)


def has_curve(curve: LearningCurve) -> bool:
    """Whether there is anything to draw: two points or more of one kind."""
    losses, scores = ([p.loss for p in curve.points], [p.validation_score for p in curve.points])
    return any(sum(v is not None and math.isfinite(v) for v in values) >= 2 for values in (losses, scores))


def running_mean(points: Sequence[Point], window: int) -> list[Point]:
    """Each y as the mean of the `window` values around it, fewer at the ends."""
    half = window // 2
    sums = list(accumulate((y for _, y in points), initial=0.0))
    means = []
    for i, (x, _) in enumerate(points):
        first, end = max(0, i - half), min(len(points), i + half + 1)
        means.append((x, (sums[end] - sums[first]) / (end - first)))
    return means


def _finite(pairs: Sequence[tuple[int, float | None]]) -> list[Point]:
    return [(step, value) for step, value in pairs if value is not None and math.isfinite(value)]


def _up(points: Sequence[Point], top: float, ceiling: float | None) -> Scale:
    values = [y for _, y in points]
    return Scale(*padded(min(values), max(values), 0.0, ceiling), top + _PANEL_PX, top)


def _panel(
    points: Sequence[Point],
    across: Scale,
    top: float,
    title: str,
    tick: Callable[[float], str],
    chosen: int | None,
    ceiling: float | None = None,
) -> list[Markup]:
    """The title, grid and baseline of a panel, and where the chosen checkpoint lies."""
    scale = _up(points, top, ceiling)
    marks = [text(0, top - 9, title, "axis")]
    for value in scale.ticks(4):
        marks.append(line(across.start_px, scale(value), across.end_px, scale(value), "grid"))
        marks.append(text(across.start_px - 6, scale(value) + 4, tick(value), "tick", "end"))
    marks.append(line(across.start_px, top + _PANEL_PX, across.end_px, top + _PANEL_PX, "baseline"))
    if chosen is not None:
        marks.append(line(across(chosen), top, across(chosen), top + _PANEL_PX, "reference"))
    return marks


def _loss_lines(losses: Sequence[Point], across: Scale, up: Scale) -> Markup:
    """A long run is thinned to what a screen can show; the mean is taken before thinning."""
    many = len(losses) >= _SMOOTH_FROM
    every = max(1, math.ceil(len(losses) / _MOST_POINTS))
    raw = _path(losses[::every], across, up, "curve faint" if many else "curve")
    if not many:
        return raw
    return raw + _path(running_mean(losses, max(5, len(losses) // 15))[::every], across, up, "curve")


def _score_line(scores: Sequence[Point], across: Scale, up: Scale, chosen: int | None) -> list[Markup]:
    marks = [_path(scores, across, up, "curve")]
    for step, score in scores:
        kept = step == chosen
        tip = f"step {step:.0f}: {words.percent(score)}"
        marks.append(dot(across(step), up(score), 6 if kept else 4, "dot chosen" if kept else "dot before", tip))
        if kept:
            near_end = across(step) > (across.start_px + across.end_px) / 2
            # At the foot of the panel, where a curve that learns leaves room.
            x, y = across(step) + (-8 if near_end else 8), up.start_px - 10
            marks.append(text(x, y, f"kept: {words.percent(score)}", "name chosen", "end" if near_end else "start"))
    return marks


def _path(points: Sequence[Point], across: Scale, up: Scale, class_: str) -> Markup:
    way = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
    return element("path", d=f"M{way}", class_=class_)


def _description(curve: LearningCurve, losses: Sequence[Point], scores: Sequence[Point]) -> str:
    parts = [f"Learning curve of {curve.candidate}."]
    if losses:
        parts.append(f"Loss from {losses[0][1]:.3g} to {losses[-1][1]:.3g} nats.")
    if scores:
        parts.append(f"Validation score from {words.percent(scores[0][1])} to {words.percent(scores[-1][1])}.")
    if curve.chosen_step is not None:
        parts.append(f"Kept checkpoint: step {curve.chosen_step}.")
    return " ".join(parts)
