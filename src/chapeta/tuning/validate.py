"""A cheap score of a model in training: would it have answered this row right, token by token, and at what loss?

Teacher-forced: each token of the expected answer must be the most likely one after the expected tokens before it. If
all are, greedy decoding gives exactly this answer; so the rate is free decoding's exact match, from one forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from chapeta.tuning.batches import head_logits, token_budget_batches
from chapeta.tuning.frozen import FrozenBelow, forward
from chapeta.tuning.tokenise import TokenisedRow


@dataclass(frozen=True, slots=True)
class Validation:
    """exact_match: share of rows whose taught tokens are all most likely. loss: weighted mean over them, in nats."""

    exact_match: float
    loss: float
    row_matches: tuple[bool, ...]


def validate(
    model: Any, rows: Sequence[TokenisedRow], device: torch.device, batch_tokens: int = 1024,
    frozen: FrozenBelow | None = None,
) -> Validation:  # fmt: skip
    """Scores rows (at least one) with the model as it is. `frozen`: the model cut at its lowest adapter, for these rows."""
    matches = [True] * len(rows)
    loss_sum, weight_sum = 0.0, 0.0
    with torch.inference_mode():
        for numbers in token_budget_batches([row.ids for row in rows], batch_tokens):
            batch, hidden_PH = forward(model, [rows[number] for number in numbers], device, frozen)
            logits_PV = head_logits(model, hidden_PH)
            losses_P = functional.cross_entropy(logits_PV, batch.targets_P, reduction="none")
            loss_sum += float((losses_P * batch.weights_P).sum())
            weight_sum += float(batch.weights_P.sum())
            wrong_P = logits_PV.argmax(-1) != batch.targets_P
            for number in set(batch.rows_P[wrong_P].tolist()):
                matches[numbers[number]] = False
    return Validation(sum(matches) / len(rows), loss_sum / weight_sum, tuple(matches))
