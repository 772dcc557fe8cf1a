"""Which rows go together. Rows of similar length share a batch, so that attention computes little for padding.

Everything follows from the lengths, the seed and the epoch: a run that resumes at step N needs no sampler state.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from chapeta.tuning.packing import Packing, pack, shared_beginning
from chapeta.tuning.tokenise import TokenisedRow

COPIES = 4  # a copy is of keys and values only: 46 KB a token in the embedded model, of 2.1 MB in all
POOL_BATCHES = 32  # rows are sorted by length inside shuffled pools of so many batches: random enough, little padding


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows packed into N tokens, without their last token (nothing follows it).

    predicting_P: places among the N whose next token counts; targets_P: that token; weights_P: its weight; rows_P: the
    row of the batch that it belongs to.
    """

    ids_N: torch.Tensor
    packing: Packing
    predicting_P: torch.Tensor
    targets_P: torch.Tensor
    weights_P: torch.Tensor
    rows_P: torch.Tensor


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


def token_budget_batches(rows: Sequence[Sequence[int]], max_tokens: int) -> list[list[int]]:
    """Numbers of all rows (token ids), shortest first, cut so that a packed batch stays within the budget.

    Counted are the beginning that all share, once, and rows × longest rest; attention copies the beginning for each row,
    so rows × longest row stays within `COPIES` times the budget. A single row may pass it.
    """
    shared = shared_beginning(rows)
    batches: list[list[int]] = []
    for number in sorted(range(len(rows)), key=lambda number: len(rows[number])):
        count, length = len(batches[-1]) + 1 if batches else 1, len(rows[number])
        if not batches or shared + count * (length - shared) > max_tokens or count * length > COPIES * max_tokens:
            batches.append([])
        batches[-1].append(number)
    return batches


def collate(rows: Sequence[TokenisedRow], device: torch.device) -> Batch:
    """Packs rows of at least two tokens into one sequence."""
    ids_N, packing = pack([row.ids[:-1] for row in rows], device)
    places = [
        (packing.place(number, at - 1), token, weight, number)
        for number, row in enumerate(rows)
        for at, (token, weight) in enumerate(zip(row.ids, row.weights, strict=True))
        if weight > 0 and at > 0
    ]
    predicting, targets, weights, numbers = zip(*places, strict=True)

    def tensor(values: Sequence[Any], dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    predicting_P = tensor(predicting, torch.long)
    return Batch(
        ids_N,
        replace(packing, read_P=predicting_P),
        predicting_P,
        tensor(targets, torch.long),
        tensor(weights, torch.float32),
        tensor(numbers, torch.long),
    )


def answer_hidden(model: Any, batch: Batch) -> torch.Tensor:
    """Hidden states PxH at the predicting places."""
    packing = batch.packing
    positions_1N = packing.position_N[None]
    output = model.base_model(input_ids=batch.ids_N[None], position_ids=positions_1N, use_cache=False, packing=packing)
    return output.last_hidden_state[0][batch.predicting_P]


def head_logits(model: Any, hidden_PH: torch.Tensor) -> torch.Tensor:
    """Logits PxV in fp32. The vocabulary is the widest product of a small model; few places need it."""
    logits_PV = model.get_output_embeddings()(hidden_PH).float()
    cap = getattr(model.config, "final_logit_softcapping", None)
    return torch.tanh(logits_PV / cap) * cap if cap else logits_PV
