"""Where the names go in a picture with points close to each other: no name covers another, and few cover a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_RADII_PX = (12, 16, 20, 25, 30, 36, 42, 56, 72, 90, 110, 135)
_DIRECTIONS = tuple(math.radians(degrees) for degrees in (0, 180, 45, -45, 135, -135, 90, -90, 22, -22, 158, -158))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)

    def inside(self, other: Box) -> bool:
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A mark that a label should rather not cover; cost: how many pixels of distance that is worth."""

    box: Box
    cost: float


@dataclass(frozen=True, slots=True)
class Anchor:
    """A point that wants a label of this size."""

    x: float
    y: float
    width: float
    height: float


def place_labels(anchors: Sequence[Anchor], obstacles: Sequence[Obstacle], bounds: Box) -> list[Box | None]:
    """A box for each label, in the order given; earlier anchors choose first.

    Boxes lie within bounds and never overlap each other; each takes the place that is nearest to its point and covers
    least. None where there is no room left at all.
    """
    placed: list[Box] = []
    found: list[Box | None] = []
    for anchor in anchors:
        free = _free(_around(anchor), placed, bounds) or _free(_everywhere(anchor, bounds), placed, bounds)
        box = min(free, key=lambda box: _cost(box, anchor, obstacles), default=None)
        found.append(box)
        placed += [box] if box else []
    return found


def distance(box: Box, x: float, y: float) -> float:
    """From a point to the nearest edge of a box; 0 inside."""
    return math.hypot(max(box.left - x, 0, x - box.right), max(box.top - y, 0, y - box.bottom))


def _free(boxes: Sequence[Box], taken: Sequence[Box], bounds: Box) -> list[Box]:
    return [box for box in boxes if box.inside(bounds) and not any(box.overlaps(other) for other in taken)]


def _cost(box: Box, anchor: Anchor, obstacles: Sequence[Obstacle]) -> float:
    """Near is good, level with the point is better, and covering a mark costs what the mark says."""
    covered = sum(obstacle.cost for obstacle in obstacles if box.overlaps(obstacle.box))
    tilt = 0.4 * abs((box.top + box.bottom) / 2 - anchor.y)
    return distance(box, anchor.x, anchor.y) + tilt + covered


def _around(anchor: Anchor) -> list[Box]:
    """Boxes whose nearest side looks at the point, from all directions, near ones first."""
    boxes = []
    for radius in _RADII_PX:
        for angle in _DIRECTIONS:
            across, down = math.cos(angle), math.sin(angle)
            x, y = anchor.x + radius * across, anchor.y + radius * down
            left = x - anchor.width / 2 * (1 - round(across))
            top = y - anchor.height / 2 * (1 - round(down))
            boxes.append(Box(left, top, left + anchor.width, top + anchor.height))
    return boxes


def _everywhere(anchor: Anchor, bounds: Box) -> list[Box]:
    """A grid over the whole picture, for when the neighbourhood is full."""
    boxes = []
    columns = max(1, int((bounds.right - bounds.left - anchor.width) // 12))
    for row in range(int((bounds.bottom - bounds.top) // anchor.height)):
        for column in range(columns):
            left, top = bounds.left + column * 12, bounds.top + row * anchor.height
            boxes.append(Box(left, top, left + anchor.width, top + anchor.height))
    return boxes
