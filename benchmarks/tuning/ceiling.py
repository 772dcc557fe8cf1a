"""What this machine's matrix multiplication reaches: the bound of training, measured in a process of its own.

Called as a program it prints GFLOP/s of fp32 and bf16, each the mean over the shapes of a decoder layer of the embedded
model at 1,024 tokens, of each shape the fastest of several repetitions.
"""

from __future__ import annotations

import json
import time

import torch

TOKENS, WIDTH, INNER = 1024, 576, 1536
SHAPES = ((WIDTH, WIDTH), (WIDTH, INNER), (INNER, WIDTH))
SECONDS_EACH = 1.0


def gflops(dtype: torch.dtype, inputs: int, outputs: int) -> float:
    x, weight = torch.randn(TOKENS, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype)
    fastest, until = float("inf"), time.perf_counter() + SECONDS_EACH
    while time.perf_counter() < until:
        started = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        fastest = min(fastest, time.perf_counter() - started)
    return 2 * TOKENS * inputs * outputs / fastest / 1e9


if __name__ == "__main__":
    with torch.inference_mode():
        kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
        print(json.dumps({name: sum(gflops(kind, *shape) for shape in SHAPES) / 3 for name, kind in kinds.items()}))
