"""What the recipe and an estimate need to know of a model, from the head of its GGUF file. No torch here."""

from __future__ import annotations

import math
from pathlib import Path

from chapeta.engine.gguf_header import read_header
from chapeta.tuning.recipe import ModelShape

ADAPTED = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def model_shape(path: Path) -> ModelShape:
    """What the recipe needs to know of a GGUF model; reads the file's head only."""
    header = read_header(path)
    return ModelShape(
        architecture=header.architecture,
        hidden_size=header.number("embedding_length"),
        layers=header.number("block_count"),
        parameters_per_rank=sum(sum(shape) for shape in _linears(path)),
        context_tokens=header.number("context_length"),
    )


def layer_parameters(path: Path) -> int:
    """Parameters of the layers' matrices, without embeddings: a token costs twice as many operations going forward."""
    return sum(math.prod(shape) for shape in _linears(path))


def _linears(path: Path) -> list[tuple[int, ...]]:
    tensors = read_header(path).tensors
    shapes = [tensor.shape for tensor in tensors if tensor.name.removesuffix(".weight").endswith(ADAPTED)]
    return [shape for shape in shapes if len(shape) == 2]
