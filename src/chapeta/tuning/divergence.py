"""How far a tuned model has moved from its base: mean KL divergence where the base answers general questions.

A cheap sign of forgetting (*RL's Razor*, arXiv 2509.04259). One model in memory: the base is the same with its adapter
switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from chapeta.tuning import lora
from chapeta.tuning.batches import Batch, answer_hidden, collate, head_logits, token_budget_batches
from chapeta.tuning.load import load
from chapeta.tuning.tokenise import ChatTokeniser, TokenisedRow
from chapeta.types import Message

Conversation = tuple[tuple[Message, ...], str]
PLACES_AT_ONCE = 256  # of vocabulary-wide logits, twice: 100 MB for 49,152 words


def mean_kl(
    model_path: Path, adapter_peft: Path, conversations: Sequence[Conversation], batch_tokens: int = 1024
) -> list[float]:
    """Mean KL(base ‖ tuned) in nats a token for each conversation (messages, the base model's own answer).

    Measured where each token of the answer, and what follows it, is predicted, after the base's own tokens.
    """
    loaded = load(model_path)
    adapter = lora.attach(loaded.model, adapter_peft)
    chat = ChatTokeniser(loaded.tokeniser)
    rows = [_row(chat, messages, answer) for messages, answer in conversations]
    means = [0.0] * len(rows)
    with torch.inference_mode():
        for numbers in token_budget_batches([row.ids for row in rows], batch_tokens):
            batch = collate([rows[number] for number in numbers], loaded.device)
            kl_P = _kl(loaded.model, adapter, batch)
            for place, number in enumerate(numbers):
                means[number] = float(kl_P[batch.rows_P == place].mean())
    return means


def _row(chat: ChatTokeniser, messages: Sequence[Message], answer: str) -> TokenisedRow:
    prompt = chat.prompt(messages)
    prompt_ids = chat.encode(prompt)
    answer_ids = chat.answer(prompt, prompt_ids, answer)
    return TokenisedRow((*prompt_ids, *answer_ids), (0.0,) * len(prompt_ids) + (1.0,) * len(answer_ids))


def _kl(model: Any, adapter: lora.Adapter, batch: Batch) -> torch.Tensor:
    tuned_PH = answer_hidden(model, batch)
    with lora.base_only(adapter):
        base_PH = answer_hidden(model, batch)
    pieces = []
    for base, tuned in zip(base_PH.split(PLACES_AT_ONCE), tuned_PH.split(PLACES_AT_ONCE), strict=True):
        base_log_PV = head_logits(model, base).log_softmax(-1)
        tuned_log_PV = head_logits(model, tuned).log_softmax(-1)
        pieces.append((base_log_PV.exp() * (base_log_PV - tuned_log_PV)).sum(-1))
    return torch.cat(pieces)
