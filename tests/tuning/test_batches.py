"""Batches hold every row once, rows of one length together, and follow from the seed alone."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.tuning.batches import collate, epoch_batches, token_budget_batches
from chapeta.tuning.packing import shared_beginning
from chapeta.tuning.tokenise import TokenisedRow

LENGTHS = st.lists(st.integers(2, 500), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 33), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_epoch_reads_every_row_once(lengths: list[int], batch_rows: int, epoch: int) -> None:
    batches = epoch_batches(lengths, batch_rows, seed=1, epoch=epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch_rows)
    assert batches == epoch_batches(lengths, batch_rows, seed=1, epoch=epoch)


@given(LENGTHS, st.integers(0, 30), st.integers(16, 2000))
@settings(max_examples=60, deadline=None)
def test_the_token_budget_holds_unless_one_row_passes_it(lengths: list[int], shared: int, budget: int) -> None:
    rows = [
        [7] * min(shared, length - 1) + [number + 10] * max(1, length - shared) for number, length in enumerate(lengths)
    ]
    common = shared_beginning(rows)
    batches = token_budget_batches(rows, budget)
    assert sorted(number for batch in batches for number in batch) == list(range(len(rows)))
    for batch in batches:
        longest = max(len(rows[number]) for number in batch)
        assert len(batch) == 1 or common + len(batch) * (longest - common) <= budget


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
    rows = [TokenisedRow((5, 6, 7, 8), (0, 0, 1.0, 0.5)), TokenisedRow((5, 9, 3), (0, 0, 2.0))]
    batch = collate(rows, torch.device("cpu"))
    assert batch.ids_N.tolist() == [5, 6, 7, 9]
    assert batch.predicting_P.tolist() == [1, 2, 3]
    assert batch.targets_P.tolist() == [7, 8, 3]
    assert batch.weights_P.tolist() == [1.0, 0.5, 2.0]
    assert batch.rows_P.tolist() == [0, 0, 1]
