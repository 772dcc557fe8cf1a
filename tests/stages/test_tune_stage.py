"""What the tuning stage keeps of an earlier run; what it trains is tested with the real model in `test_specialize.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from chapeta.stages.run import Settings
from chapeta.stages.tune import Tuned
from chapeta.tuning.recipe import DataShape, ModelShape, choose_recipe
from chapeta.tuning.trainer import TuneResult

SHAPE = ModelShape("llama", 576, 30, 162_816, 8192)


def tuned(planned_epochs: float = 4.0, replay_rows: int = 0, limited: bool = False) -> Tuned:
    chosen = choose_recipe(DataShape(320, 160, 900), SHAPE, {"replay_rows": replay_rows}, limited=limited)
    result = TuneResult(Path(), Path(), 320, 9.0, 9, 1.0, 0, 320, 0.5, 0.5, planned_epochs, 0, ())
    return Tuned("smollm2-135m", result, chosen)


@pytest.mark.parametrize(
    ("done", "given", "replay_rows", "owes_nothing"),
    [
        (tuned(), {}, 0, True),
        (tuned(planned_epochs=1.5), {}, 0, False),
        (tuned(replay_rows=20), {}, 64, False),
        (tuned(replay_rows=64), {}, 64, True),
        (tuned(limited=True), {}, 0, False),
        (tuned(limited=True), {"adapted_layers": 10}, 0, True),
    ],
    ids=["whole", "shortened", "fewer replay rows", "as many", "a time limit's recipe", "layers of the user's"],
)
def test_without_a_limit_what_a_limit_has_left_out_is_owed(
    done: Tuned, given: dict[str, int], replay_rows: int, owes_nothing: bool
) -> None:
    assert done.owes_nothing(given, replay_rows) == owes_nothing


def test_the_limit_of_tuning_does_not_change_with_the_clock() -> None:
    assert Settings("rows.csv", "desk").tuning_limit_s is None
    settings = Settings("rows.csv", "desk", models=("a", "b"), limit_minutes=20)
    assert settings.tuning_limit_s == 360
