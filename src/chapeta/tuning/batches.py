"""Which rows go together. Rows of similar length share a batch, so that little is computed for padding.

Everything follows from the lengths, the seed and the epoch: a run that resumes at step N needs no sampler state.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from chapeta.tuning.tokenise import TokenisedRow

POOL_BATCHES = 32  # rows are sorted by length inside shuffled pools of so many batches: random enough, little padding


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded on the right, without their last token (nothing follows it).

    predicting_N: places in the flattened B×T tokens whose next token counts; targets_N: that token; weights_N: its
    weight. rows_N: which row of the batch a place belongs to. tokens: how many of the B×T are not padding.
    """

    ids_BT: torch.Tensor
    predicting_N: torch.Tensor
    targets_N: torch.Tensor
    weights_N: torch.Tensor
    rows_N: torch.Tensor
    tokens: int


def epoch_batches(lengths: Sequence[int], batch_rows: int, seed: int, epoch: int) -> list[list[int]]:
    """Row numbers of each batch of an epoch; every row is in exactly one. The last batch may be smaller."""
    chance = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    chance.shuffle(order)
    pool_rows = batch_rows * POOL_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), pool_rows):
        pool = sorted(order[start : start + pool_rows], key=lambda row: lengths[row])
        batches += [pool[at : at + batch_rows] for at in range(0, len(pool), batch_rows)]
    chance.shuffle(batches)
    return batches


def token_budget_batches(lengths: Sequence[int], max_padded_tokens: int) -> list[list[int]]:
    """All rows, shortest first, cut so that rows × longest stays within the budget (a single row may pass it)."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        if not batches or (len(batches[-1]) + 1) * lengths[row] > max_padded_tokens:
            batches.append([])
        batches[-1].append(row)
    return batches


def collate(rows: Sequence[TokenisedRow], device: torch.device) -> Batch:
    """Pads rows to a batch. The padding is never looked at: attention is causal and no padded place is predicting."""
    width = max(len(row.ids) for row in rows) - 1
    ids_BT = torch.zeros((len(rows), width), dtype=torch.long)
    places: list[tuple[int, int, float, int]] = []
    for number, row in enumerate(rows):
        ids_BT[number, : len(row.ids) - 1] = torch.tensor(row.ids[:-1])
        for at, (token, weight) in enumerate(zip(row.ids, row.weights, strict=True)):
            if weight > 0 and at > 0:
                places.append((number * width + at - 1, token, weight, number))
    predicting, targets, weights, numbers = zip(*places, strict=True)

    def tensor(values: Sequence[Any], dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    return Batch(
        ids_BT.to(device),
        tensor(predicting, torch.long),
        tensor(targets, torch.long),
        tensor(weights, torch.float32),
        tensor(numbers, torch.long),
        sum(len(row.ids) - 1 for row in rows),
    )


def answer_hidden(model: Any, batch: Batch) -> torch.Tensor:
    """Hidden states NxH at the predicting places. No mask is passed: with padding on the right, causal is enough."""
    hidden_BTH = model.base_model(input_ids=batch.ids_BT, use_cache=False).last_hidden_state
    return hidden_BTH.flatten(0, 1)[batch.predicting_N]


def head_logits(model: Any, hidden_NH: torch.Tensor) -> torch.Tensor:
    """Logits NxV in fp32. The vocabulary is the widest product of a small model; few places need it."""
    logits_NV = model.get_output_embeddings()(hidden_NH).float()
    cap = getattr(model.config, "final_logit_softcapping", None)
    return torch.tanh(logits_NV / cap) * cap if cap else logits_NV
