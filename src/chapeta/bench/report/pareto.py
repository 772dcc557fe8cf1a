"""The picture that a choice is made on: quality against cost, with intervals and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from chapeta.bench.report import words
from chapeta.bench.report.labels import Anchor, Box, Obstacle, distance, place_labels
from chapeta.bench.report.svg import Scale, dot, drawing, element, line, padded, shorten, text, text_width
from chapeta.bench.results import CandidateResult

_LABEL_HEIGHT_PX = 17.0
_LOG_FROM_RATIO = 8.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What the x axis counts, with each candidate's figure by name."""

    axis: str
    values: dict[str, float]
    in_usd: bool

    def words(self, value: float) -> str:
        return words.usd(value) if self.in_usd else words.count(value)

    def tick(self, value: float) -> str:
        return f"${words.tick(value)}" if self.in_usd else words.tick(value)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The plot's scales and its edges in pixels; y grows downwards."""

    x: Scale
    y: Scale
    bounds: Box


def cost_of(candidates: Sequence[CandidateResult]) -> Cost:
    """Dollars where all are known and not all 0; else tokens per call, which every candidate has."""
    usd = {c.name: c.usd_per_1000_calls for c in candidates}
    known = {name: value for name, value in usd.items() if value is not None}
    if len(known) == len(usd) and any(known.values()):
        return Cost("US dollars per 1,000 calls", known, in_usd=True)
    tokens = {c.name: c.tokens_in + c.tokens_out for c in candidates}
    return Cost("Tokens per call, in and out", tokens, in_usd=False)


def pareto_front(candidates: Sequence[CandidateResult], cost: dict[str, float]) -> list[CandidateResult]:
    """The candidates that no other beats: none is at most as dear and better, or cheaper and at least as good.

    Cheapest first. Of two with the same cost and score both stay.
    """

    def beaten(c: CandidateResult) -> bool:
        return any(
            cost[o.name] <= cost[c.name]
            and o.score.value >= c.score.value
            and (cost[o.name] < cost[c.name] or o.score.value > c.score.value)
            for o in candidates
        )

    return sorted((c for c in candidates if not beaten(c)), key=lambda c: (cost[c.name], c.score.value))


def pareto_picture(candidates: Sequence[CandidateResult], chosen: str, width: int) -> Markup:
    """Score with 95 % interval (y) against cost (x); the front as a stepped line, the chosen candidate marked."""
    cost = cost_of(candidates)
    height = max(330, 36 * len(candidates) + 70)
    frame = _frame(candidates, cost, width, height)
    front = pareto_front(candidates, cost.values)
    ordered = sorted(candidates, key=lambda c: c.name != chosen)
    return drawing(
        width,
        height,
        _description(candidates, cost, front, chosen),
        *_axes(frame, cost, height),
        _front_line(front, cost, frame),
        *[mark for c in ordered for mark in _marks(c, cost, frame, c in front, c.name == chosen)],
        *_names(ordered, cost, frame, chosen, _front_obstacles(front, cost, frame)),
    )


def _frame(candidates: Sequence[CandidateResult], cost: Cost, width: int, height: int) -> _Frame:
    costs = list(cost.values.values())
    log = min(costs) > 0 and max(costs) / min(costs) > _LOG_FROM_RATIO
    x_low, x_high = (min(costs) / 1.25, max(costs) * 1.25) if log else padded(min(costs), max(costs), floor=0.0)
    y_low = min(c.score.low for c in candidates)
    y_high = max(c.score.high for c in candidates)
    bounds = Box(52, 26, width - 10, height - 44)
    return _Frame(
        Scale(x_low, x_high, bounds.left + 12, bounds.right - 14, log),
        Scale(*padded(y_low, y_high, floor=0.0, ceiling=1.0), bounds.bottom - 4, bounds.top + 4),
        bounds,
    )


def _axes(frame: _Frame, cost: Cost, height: int) -> list[Markup]:
    bounds = frame.bounds
    marks = [text(0, 13, "Score", "axis"), text(bounds.right, height - 5, f"{cost.axis} →", "axis", "end")]
    for value in frame.y.ticks(6):
        marks.append(line(bounds.left, frame.y(value), bounds.right, frame.y(value), "grid"))
        marks.append(text(bounds.left - 6, frame.y(value) + 4, words.tick_percent(value), "tick", "end"))
    marks.append(line(bounds.left, bounds.bottom, bounds.right, bounds.bottom, "baseline"))
    for value in frame.x.ticks(int((bounds.right - bounds.left) // 72)):
        marks.append(line(frame.x(value), bounds.bottom, frame.x(value), bounds.bottom + 4, "baseline"))
        marks.append(text(frame.x(value), bounds.bottom + 18, cost.tick(value), "tick", "middle"))
    return marks


def _front_line(front: Sequence[CandidateResult], cost: Cost, frame: _Frame) -> Markup:
    """Steps: up at each member of the front, then level until the next, and on to the right edge."""
    path = ""
    for c in front:
        x, y = frame.x(cost.values[c.name]), frame.y(c.score.value)
        path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}"
    return element("path", d=f"{path}H{frame.bounds.right:.1f}", class_="front")


def _front_obstacles(front: Sequence[CandidateResult], cost: Cost, frame: _Frame) -> list[Obstacle]:
    """The level parts of the front, in pieces, so that a name that lies along it pays for its whole length."""
    spots = [(frame.x(cost.values[c.name]), frame.y(c.score.value)) for c in front]
    ends = [*(x for x, _ in spots[1:]), frame.bounds.right]
    return [
        Obstacle(Box(left, y - 2, left + 20, y + 2), 8.0)
        for (x, y), end in zip(spots, ends, strict=True)
        for left in range(int(x), int(end), 20)
    ]


def _marks(c: CandidateResult, cost: Cost, frame: _Frame, on_front: bool, chosen: bool) -> list[Markup]:
    x, y = frame.x(cost.values[c.name]), frame.y(c.score.value)
    kind = "chosen" if chosen else "other"
    tip = f"{c.name}: {words.percent(c.score.value)} ({words.interval(c.score)})"
    ring = [dot(x, y, 10, "ring")] if chosen else []
    whisker = line(x, frame.y(c.score.low), x, frame.y(c.score.high), f"whisker {kind}")
    return [whisker, *ring, dot(x, y, 5.5, f"dot {kind}" if on_front or chosen else "dot off", tip)]


def _names(
    candidates: Sequence[CandidateResult], cost: Cost, frame: _Frame, chosen: str, front: Sequence[Obstacle]
) -> list[Markup]:
    """Each name next to its point, with a thin line to it where the way is long."""
    most = (frame.bounds.right - frame.bounds.left) * 0.6
    names = [shorten(c.name, most) for c in candidates]
    spots = [(frame.x(cost.values[c.name]), frame.y(c.score.value)) for c in candidates]
    dots = [Obstacle(Box(x - 9, y - 9, x + 9, y + 9), 60.0) for x, y in spots]
    bars = [
        Obstacle(Box(x - 2, frame.y(c.score.high), x + 2, frame.y(c.score.low)), 14.0)
        for (x, _), c in zip(spots, candidates, strict=True)
    ]
    anchors = [Anchor(x, y, text_width(n) + 6, _LABEL_HEIGHT_PX) for (x, y), n in zip(spots, names, strict=True)]
    marks = []
    boxes = place_labels(anchors, [*dots, *bars, *front], frame.bounds)
    for (x, y), box, name, c in zip(spots, boxes, names, candidates, strict=True):
        if box is None:
            continue
        # Fonts are narrower than the estimate: the text starts at the side that looks at its point.
        at_left = box.right <= x
        across = box.right - 3 if at_left else box.left + 3
        if distance(box, x, y) > 18:
            marks.append(line(x, y, across, (box.top + box.bottom) / 2, "leader"))
        style = "name chosen" if c.name == chosen else "name"
        marks.append(text(across, box.bottom - 4.5, name, style, "end" if at_left else "start"))
    return marks


def _description(
    candidates: Sequence[CandidateResult], cost: Cost, front: Sequence[CandidateResult], chosen: str
) -> str:
    rows = "; ".join(
        f"{c.name}: {words.percent(c.score.value)} at {cost.words(cost.values[c.name])}" for c in candidates
    )
    best = ", ".join(c.name for c in front)
    return f"Score against {cost.axis.lower()}. {rows}. On the Pareto front: {best}. Chosen: {chosen}."
