"""Low-rank adapters of our own: a frozen linear layer plus scale · B(A(x)), saved as the `peft` library reads them.

Written here because it is one small module, and the adapter can be switched off to ask the base model. Hu et al. 2021,
arXiv 2106.09685; all linear layers of the decoder are adapted, as *LoRA Without Regret* advises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save
from torch import nn

from chapeta.engine.adapter import PEFT_PREFIX
from chapeta.errors import BadInput, Corrupt
from chapeta.files import read_json, write_atomic, write_json

WEIGHTS_FILE = "adapter_model.safetensors"
CONFIGURATION_FILE = "adapter_config.json"
State = dict[str, torch.Tensor]


class LoraLinear(nn.Module):  # type: ignore[misc]  # torch is not type-checked here
    """A frozen linear layer with an adapter. A starts random (Kaiming), B at zero: at first nothing changes."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        self.scale = alpha / rank
        self.enabled = True
        bound = 1 / math.sqrt(base.in_features)
        start = (torch.rand((rank, base.in_features), generator=generator) * 2 - 1) * bound
        device = base.weight.device
        self.lora_A = nn.Parameter(start.to(device))
        self.lora_B = nn.Parameter(torch.zeros((base.out_features, rank), device=device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(0, -2)
        y = cast(torch.Tensor, self.base(rows))
        if self.enabled:  # in place: no second copy of what the base gave, 5 % of a training step
            y = y.addmm_(rows @ self.lora_A.to(x.dtype).t(), self.lora_B.to(x.dtype).t(), alpha=self.scale)
        return y.view(*x.shape[:-1], y.shape[-1])


Adapter = dict[str, LoraLinear]


def inject(model: Any, rank: int, alpha: float, seed: int, first_layer: int = 0) -> Adapter:
    """Puts an adapter on every linear layer of the decoder's layers from `first_layer` up (not on the vocabulary), in
    place; returns them by name."""
    generator = torch.Generator().manual_seed(seed)
    linears = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and (layer := layer_of(name)) is not None and layer >= first_layer
    ]
    adapter: Adapter = {}
    for name, linear in linears:
        parent, _, child = name.rpartition(".")
        adapter[name] = LoraLinear(linear, rank, alpha, generator)
        setattr(model.get_submodule(parent), child, adapter[name])
    return adapter


def attach(model: Any, folder: Path) -> Adapter:
    """Puts a saved adapter on a model, in place."""
    state, rank, alpha = load_peft(folder)
    adapter = inject(model, rank, alpha, 0, min(_layers(state), default=0))
    load_state(adapter, state)
    return adapter


def layer_of(name: str) -> int | None:
    """The number of the decoder's layer that a module or matrix belongs to, if it does."""
    found = re.search(r"(?:^|\.)layers\.(\d+)\.", name)
    return int(found[1]) if found else None


def parameters(adapter: Adapter) -> list[nn.Parameter]:
    """What is trained, in a fixed order."""
    return [matrix for layer in adapter.values() for matrix in (layer.lora_A, layer.lora_B)]


def parameter_groups(adapter: Adapter, b_over_a: float) -> list[dict[str, Any]]:
    """What is trained, for an optimiser: the matrices A, and B with `ratio` times their learning rate."""
    layers = adapter.values()
    return [
        {"params": [layer.lora_A for layer in layers], "ratio": 1.0},
        {"params": [layer.lora_B for layer in layers], "ratio": b_over_a},
    ]


def state_dict(adapter: Adapter) -> State:
    """A copy of the adapter's matrices on the CPU, under PEFT's names."""
    state: State = {}
    for name, layer in adapter.items():
        state[f"{PEFT_PREFIX}{name}.lora_A.weight"] = layer.lora_A.detach().to("cpu", copy=True)
        state[f"{PEFT_PREFIX}{name}.lora_B.weight"] = layer.lora_B.detach().to("cpu", copy=True)
    return state


def load_state(adapter: Adapter, state: Mapping[str, torch.Tensor]) -> None:
    """Sets the matrices. Raises BadInput where they are of another model or rank."""
    try:
        with torch.no_grad():
            for name, layer in adapter.items():
                layer.lora_A.copy_(state[f"{PEFT_PREFIX}{name}.lora_A.weight"])
                layer.lora_B.copy_(state[f"{PEFT_PREFIX}{name}.lora_B.weight"])
    except (KeyError, RuntimeError) as error:
        raise BadInput(f"The adapter does not fit this model ({error}).", "Use the model it was made for.") from None


@contextmanager
def base_only(adapter: Adapter) -> Iterator[None]:
    """Inside, the model answers as its base."""
    for layer in adapter.values():
        layer.enabled = False
    try:
        yield
    finally:
        for layer in adapter.values():
            layer.enabled = True


def save_peft(state: Mapping[str, torch.Tensor], rank: int, alpha: float, base_name: str, folder: Path) -> Path:
    """Writes the folder that `peft.PeftModel.from_pretrained(base, folder)` loads."""
    targets = sorted({name.split(".lora_")[0].rsplit(".", 1)[-1] for name in state})
    configuration = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": targets,
        "inference_mode": True,
        "layers_to_transform": _layers(state),
        "layers_pattern": "layers",
    }
    write_atomic(folder / WEIGHTS_FILE, save(dict(state), metadata={"format": "pt"}))
    write_json(folder / CONFIGURATION_FILE, configuration)
    return folder


def _layers(state: Mapping[str, torch.Tensor]) -> list[int]:
    return sorted({layer for name in state if (layer := layer_of(name)) is not None})


def load_peft(folder: Path) -> tuple[State, int, float]:
    """Matrices, rank and alpha of a saved adapter."""
    configuration = read_json(folder / CONFIGURATION_FILE, "chapeta tune")
    try:
        return load_file(folder / WEIGHTS_FILE), int(configuration["r"]), float(configuration["lora_alpha"])
    except (OSError, KeyError, ValueError, json.JSONDecodeError) as error:
        raise Corrupt(f"{folder} holds no whole adapter ({error}).", "Run `chapeta tune` again.") from None
