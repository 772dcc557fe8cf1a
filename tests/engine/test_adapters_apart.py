"""What a prompt's tokens became with one adapter is never taken for another's, nor for the base model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chapeta.engine.adapter import write_gguf_adapter
from chapeta.engine.llama import Engine
from chapeta.types import Decoding, Message, Request

PROMPTS = [
    f"{about}: explain in a few words what it is and why people like it. " * 3
    for about in ("Winter", "Trains", "Soup", "Owls", "Chess", "Rain")
]
RANK = 4


@pytest.fixture(scope="module")
def adapter(embedded_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of chance numbers, strong enough to change what the model says."""
    chance = np.random.default_rng(0)
    state = {}
    for layer in range(0, 30, 3):
        name = f"base_model.model.model.layers.{layer}.self_attn.v_proj"
        state[f"{name}.lora_A.weight"] = chance.normal(0, 0.5, (RANK, 576)).astype(np.float32)
        state[f"{name}.lora_B.weight"] = chance.normal(0, 0.5, (192, RANK)).astype(np.float32)
    return write_gguf_adapter(state, 8.0, embedded_model, tmp_path_factory.mktemp("adapter") / "chance.gguf")


def answers(model: Path, adapter: Path, tuned: list[bool]) -> list[list[str]]:
    """What a new engine says to all prompts, round by round, with the adapter or without."""
    engine = Engine(model, [str(adapter)], slots=4, context_tokens=768)
    try:
        return [
            [
                engine.answer(Request("", (Message("user", it),), Decoding(8), str(adapter) if with_it else None)).text
                for it in PROMPTS
            ]
            for with_it in tuned
        ]
    finally:
        engine.close()


def test_prompts_that_lost_their_slots_are_computed_anew_for_another_adapter(
    embedded_model: Path, adapter: Path
) -> None:
    """With llama.cpp's cache of such prompts, five of these six tuned answers went on from the base model's prompt."""
    [tuned] = answers(embedded_model, adapter, [True])
    [base] = answers(embedded_model, adapter, [False])
    assert not set(tuned) & set(base)
    assert answers(embedded_model, adapter, [False, True, False]) == [base, tuned, base]
