"""Figures as they are measured, and the table of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import linear_regression, median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, once a run. goal: the most that its median may be."""

    what: str
    unit: str
    runs: tuple[float, ...]
    goal: float | None = None
    load: float = field(default_factory=lambda: os.getloadavg()[0])  # of the machine, over the last minute

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else median(self.runs) <= self.goal


def table(figures: Sequence[Figure]) -> str:
    """Markdown: medians, with the lowest and highest of the runs."""
    head = ["| | median | lowest–highest | runs | goal | | load |", "|---|--:|--:|--:|--:|---|--:|"]
    return "\n".join([*head, *map(_line, figures)])


def _line(one: Figure) -> str:
    spread = f"{number(min(one.runs))}–{number(max(one.runs))}" if len(one.runs) > 1 else ""
    goal = "" if one.goal is None else f"≤ {number(one.goal)}"
    verdict = {None: "", True: "met", False: "**missed**"}[one.met]
    cells = (
        one.what,
        f"{number(median(one.runs))} {one.unit}",
        spread,
        len(one.runs),
        goal,
        verdict,
        f"{one.load:.1f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def as_json(about: Mapping[str, str], parts: Mapping[str, Sequence[Figure]]) -> dict[str, Any]:
    return {"about": dict(about), **{name: [asdict(one) for one in found] for name, found in parts.items()}}


def number(value: float) -> str:
    """Three significant figures, thousands set apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def slope(samples: Sequence[tuple[float, float]], warm_up: float = 0.3) -> float:
    """How fast the second of each pair rises with the first, after the first part of the samples has been left out."""
    kept = samples[int(len(samples) * warm_up) :]
    if len(kept) < 2:
        return 0.0
    return linear_regression([x for x, _ in kept], [y for _, y in kept]).slope


def per_part(samples: Sequence[tuple[float, float]], size: float) -> list[float]:
    """What the second of each pair rose by over every `size` of the first, both rising, by straight lines between."""
    parts: list[float] = []
    edge, begun = samples[0][0] + size, samples[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(samples):
        while x0 <= edge <= x1 and x1 > x0:
            reached = y0 + (y1 - y0) * (edge - x0) / (x1 - x0)
            parts.append(reached - begun)
            edge, begun = edge + size, reached
    return parts
