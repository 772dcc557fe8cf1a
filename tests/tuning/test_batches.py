"""Batches hold every row once, rows of one length together, and follow from the seed alone."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.tuning.batches import collate, epoch_batches, token_budget_batches
from chapeta.tuning.tokenise import TokenisedRow

LENGTHS = st.lists(st.integers(2, 500), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 33), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_epoch_reads_every_row_once(lengths: list[int], batch_rows: int, epoch: int) -> None:
    batches = epoch_batches(lengths, batch_rows, seed=1, epoch=epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch_rows)
    assert batches == epoch_batches(lengths, batch_rows, seed=1, epoch=epoch)


@given(LENGTHS, st.integers(16, 2000))
@settings(max_examples=60, deadline=None)
def test_the_token_budget_holds_unless_one_row_passes_it(lengths: list[int], budget: int) -> None:
    batches = token_budget_batches(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget


def test_orders_differ_between_epochs_and_seeds() -> None:
    lengths = list(range(10, 74))
    first = epoch_batches(lengths, 8, seed=0, epoch=0)
    assert first != epoch_batches(lengths, 8, seed=0, epoch=1)
    assert first != epoch_batches(lengths, 8, seed=1, epoch=0)


def test_little_padding_on_rows_of_mixed_length() -> None:
    lengths = [20 + (number * 37) % 80 for number in range(512)]
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in epoch_batches(lengths, 8, 0, 0))
    assert padded / sum(lengths) < 1.05


def test_collated_places_predict_the_taught_tokens() -> None:
    rows = [TokenisedRow((5, 6, 7, 8), (0, 0, 1.0, 0.5)), TokenisedRow((9, 3), (0, 2.0))]
    batch = collate(rows, torch.device("cpu"))
    assert batch.ids_BT.tolist() == [[5, 6, 7], [9, 0, 0]]
    assert batch.predicting_N.tolist() == [1, 2, 3]
    assert batch.targets_N.tolist() == [7, 8, 3]
    assert batch.weights_N.tolist() == [1.0, 0.5, 2.0]
    assert batch.rows_N.tolist() == [0, 0, 1]
    assert batch.tokens == 4
