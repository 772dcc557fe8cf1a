"""What several tests of the engine need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chapeta.engine.adapter import write_gguf_adapter

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
