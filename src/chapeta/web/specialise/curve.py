"""The picture of a training: loss of each step and, where it was measured, the score on validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from chapeta.tuning.trainer import TuneProgress

LOSS, SCORE, GREY = "#5b7fc7", "#0b8478", "#8a8578"
MOST_POINTS = 400
EASING = 0.2  # how much of a step's loss goes into the line: losses of single steps jump


class CurvePicture:
    """Drawn once, then only its points change. Nothing is shown before the first step."""

    def __init__(self) -> None:
        self._steps = 0
        self._box = ui.element("div").classes("card")
        with self._box, ui.column().classes("w-full gap-1"):
            self._said = ui.label().classes("small muted")
            self._chart = ui.echart(_options()).classes("w-full").style("height: 240px")
            self._chart.props('role=img aria-label="Loss and validation score of the training"')
        self._box.set_visibility(False)

    def show(self, points: Sequence[TuneProgress]) -> None:
        """Takes the steps so far."""
        if not points or points[-1].step == self._steps:
            return
        last = points[-1]
        self._steps = last.step
        self._box.set_visibility(True)
        self._said.set_text(f"Training, step {last.step:,} of {last.total_steps:,}")
        loss, score = self._chart.options["series"]
        loss["data"] = thinned(eased([(point.step, point.loss) for point in points]))
        score["data"] = [[one.step, one.validation_score] for one in points if one.validation_score is not None]
        self._chart.options["xAxis"]["max"] = last.total_steps
        self._chart.update()


def eased(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """A running mean in which each step counts less the longer ago it was."""
    mean, found = points[0][1] if points else 0.0, []
    for step, value in points:
        mean += EASING * (value - mean)
        found.append((step, mean))
    return found


def thinned(points: Sequence[tuple[int, float]], most: int = MOST_POINTS) -> list[list[float]]:
    """At most so many of them at even distances, the last one included: a long training costs no more to draw."""
    every = max(1, -(-len(points) // most))
    kept = [*points[::every]]
    if points and kept[-1] != points[-1]:
        kept[-1:] = [points[-1]]
    return [[step, round(value, 4)] for step, value in kept]


def _options() -> dict[str, Any]:
    axis = {"type": "value", "axisLabel": {"color": GREY}, "nameTextStyle": {"color": GREY}}
    return {
        "grid": {"left": 8, "right": 12, "top": 40, "bottom": 24, "containLabel": True},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": GREY}, "itemWidth": 14},
        "tooltip": {"trigger": "axis", "confine": True, "renderMode": "richText"},
        "xAxis": {**axis, "name": "step", "nameLocation": "middle", "nameGap": 24, "min": 0, "splitLine": {"show": False}},
        "yAxis": [
            {**axis, "scale": True, "splitLine": {"lineStyle": {"opacity": 0.25}}},
            {**axis, "min": 0, "max": 1, "splitLine": {"show": False}},
        ],
        "animation": False,
        "series": [
            {"name": "loss", "type": "line", "showSymbol": False, "data": [], "color": LOSS},
            {"name": "right on validation", "type": "line", "yAxisIndex": 1, "symbolSize": 8, "data": [], "color": SCORE},
        ],
    }  # fmt: skip
