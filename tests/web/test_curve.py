"""The points of a training's picture, and times in words."""

from __future__ import annotations

import pytest

from chapeta.web.specialise.choice import between, duration
from chapeta.web.specialise.curve import EASING, eased, thinned


def test_losses_are_eased_by_hand_reckoned_means() -> None:
    assert eased([]) == []
    assert eased([(1, 2.0), (2, 2.0)]) == [(1, 2.0), (2, 2.0)]
    assert eased([(1, 2.0), (2, 1.0)])[1] == (2, pytest.approx(2.0 - EASING))


def test_a_long_training_is_drawn_with_few_points_and_its_last_step() -> None:
    points = [(step, float(step)) for step in range(1, 100_001)]
    few = thinned(points, 400)
    assert len(few) <= 400 and few[0] == [1, 1.0] and few[-1] == [100_000, 100_000.0]
    assert thinned(points[:3]) == [[1, 1.0], [2, 2.0], [3, 3.0]]
    assert thinned([]) == []


def test_times_read_like_times() -> None:
    assert [duration(seconds) for seconds in (0.2, 42, 90, 5399, 5400)] == ["1 s", "42 s", "2 min", "90 min", "1.5 h"]
    assert between(120, 300) == "2 to 5 min"
    assert between(30, 300) == "30 s to 5 min"
    assert between(100, 110) == "about 2 min"
