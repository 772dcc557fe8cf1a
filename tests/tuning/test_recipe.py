"""The automatic choices, against the table they come from."""

from __future__ import annotations

from typing import Any

import pytest

from chapeta.errors import BadInput
from chapeta.tuning.recipe import DataShape, ModelShape, choose_recipe, choose_replay_rows

SMOL = ModelShape("llama", 576, 30, 305_280, 8192)
QWEN = ModelShape("qwen2", 896, 24, 549_888, 32768)


@pytest.mark.parametrize(
    ("rows", "rank", "epochs", "batch_rows"),
    [
        (10, 8, 8, 4),
        (59, 8, 6, 4),
        (60, 8, 5, 8),
        (299, 8, 5, 8),
        (300, 16, 4, 8),
        (600, 16, 3, 8),
        (1_000, 16, 3, 16),
        (10_003, 16, 3, 16),
        (20_000, 16, 2, 16),
        (50_000, 16, 1, 16),
    ],
)
def test_rows_decide_rank_epochs_and_batch(rows: int, rank: int, epochs: int, batch_rows: int) -> None:
    recipe = choose_recipe(DataShape(rows, 80, rows * 6), SMOL).recipe
    assert (recipe.rank, recipe.alpha, recipe.epochs, recipe.batch_rows) == (rank, 2 * rank, epochs, batch_rows)


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        (SMOL, 5e-4),  # the rule gives 5e-4 × 3.472^0.781 = 1.32e-3, above the cap
        (QWEN, 5e-4),  # 5e-4 × 2.232^0.0775 = 5.32e-4, above the cap
        (ModelShape("llama", 2048, 16, 1, 8192), 4.9e-4),
        (ModelShape("llama", 4096, 32, 1, 8192), 2.9e-4),
    ],
)
def test_learning_rate_follows_the_published_rule(model: ModelShape, rate: float) -> None:
    assert choose_recipe(DataShape(500, 80, 3000), model).recipe.learning_rate == pytest.approx(rate)


def test_many_answer_tokens_ask_for_a_larger_rank() -> None:
    chosen = choose_recipe(DataShape(20_000, 900, 9_000_000), SMOL)
    assert chosen.recipe.rank == 32
    assert "9,000,000" in chosen.reasons["rank"]


def test_every_choice_has_a_reason_and_given_values_win() -> None:
    chosen = choose_recipe(DataShape(500, 80, 3000), SMOL, {"rank": 4, "schedule": "cosine", "epochs": None})
    assert (chosen.recipe.rank, chosen.recipe.alpha, chosen.recipe.schedule) == (4, 8, "cosine")
    assert chosen.reasons["rank"] == chosen.reasons["schedule"] == "Given by you."
    assert {"rank", "alpha", "epochs", "batch_rows", "learning_rate", "max_tokens"} <= set(chosen.reasons)


def test_rows_beyond_the_context_set_the_limit_to_it() -> None:
    assert choose_recipe(DataShape(500, 9000, 3000), SMOL).recipe.max_tokens == 8192
    assert choose_recipe(DataShape(500, 77, 3000), SMOL).recipe.max_tokens == 77


@pytest.mark.parametrize(
    "overrides",
    [
        {"rank": 0},
        {"rank": 2.5},
        {"rank": "8"},
        {"learning_rate": float("nan")},
        {"learning_rate": -1e-4},
        {"epochs": 0},
        {"batch_rows": True},
        {"schedule": "step"},
        {"precision": "fp8"},
        {"color": 1},
    ],
)
def test_impossible_values_are_refused_by_name(overrides: dict[str, Any]) -> None:
    name = next(iter(overrides)).replace("_", ".")
    with pytest.raises(BadInput, match=name):
        choose_recipe(DataShape(500, 80, 3000), SMOL, overrides)


def test_three_rows_are_not_tuned_on() -> None:
    with pytest.raises(BadInput, match="3 training rows are too few"):
        choose_recipe(DataShape(3, 80, 20), SMOL)


def test_fewer_adapted_layers_have_fewer_parameters() -> None:
    shape = DataShape(500, 80, 3_000_000)
    assert choose_recipe(shape, SMOL).recipe.adapted_layers == 0
    assert choose_recipe(shape, SMOL).recipe.rank == 16
    assert choose_recipe(shape, SMOL, {"adapted_layers": 15}).recipe.rank == 32
    assert choose_recipe(shape, SMOL, {"adapted_layers": 99}).recipe.rank == 16


def test_under_a_time_limit_the_upper_third_of_the_layers_learns_in_bolder_steps() -> None:
    shape = DataShape(500, 80, 3000)
    chosen = choose_recipe(shape, SMOL, limited=True)
    assert (chosen.recipe.adapted_layers, chosen.recipe.rank) == (10, 16)
    assert (chosen.recipe.lora_plus_ratio, chosen.recipe.learning_rate) == (4, 1.3e-3)
    bold = ("adapted_layers", "lora_plus_ratio", "learning_rate")
    assert all("time limit" in chosen.reasons[name] for name in bold)
    own = {"adapted_layers": 0, "lora_plus_ratio": 1.0, "learning_rate": 5e-4}
    recipe = choose_recipe(shape, SMOL, own, limited=True).recipe
    assert recipe == choose_recipe(shape, SMOL).recipe
    assert choose_recipe(shape, QWEN, limited=True).recipe.learning_rate == 5.3e-4


def test_a_fifth_of_the_rows_is_replayed_but_no_more_than_100() -> None:
    assert [choose_replay_rows(rows)[0] for rows in (10, 54, 320, 10_003)] == [2, 10, 64, 100]


@pytest.mark.parametrize(("limit_s", "rows"), [(92, 0), (199, 0), (200, 20), (400, 40), (640, 64), (9000, 64)])
def test_a_time_limit_leaves_fewer_replay_rows_or_none(limit_s: float, rows: int) -> None:
    assert choose_replay_rows(320, limit_s)[0] == rows
    assert choose_replay_rows(54, 100.0)[0] == 10
