"""How fast this machine trains and answers: by its earlier trainings, else by how fast it multiplies, torch not needed.

Multiplication is measured on one core and in time of the processor, so that what else the machine does just now does not
look like a slow machine. Of earlier trainings the quickest quarter of steps counts, for the same reason. (In time of the
clock a machine of two cores with five other programs at work seemed ten times slower than it was.) How busy it is, is said
apart: `busy`.
"""

from __future__ import annotations

import functools
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from chapeta import config
from chapeta.engine import weights
from chapeta.tuning.shape import layer_parameters
from chapeta.types import Json

SIZE = 64  # numpy's OpenBLAS multiplies matrices up to this size without threads
MULTIPLICATIONS, BURSTS = 300, 5
LARGE_MATRICES = 1.35  # rate of large matrices over that of such small ones, a core (measured: 82 over 61 GFLOP/s)
TRAINING_SHARE = 0.5  # of what bare multiplication reaches (measured: 0.44 to 0.65)
READING_SHARE = 0.25  # the same of llama.cpp reading a prompt (measured: 195 tokens/s where that is 165 GFLOP/s)
WRITING_SHARE = 0.25  # of the rate of reading, several answers at once
REMEMBERED = 5


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second of a local model on this machine, while nothing else is at work."""

    training: float
    reading: float
    writing: float

    def seconds(self, tokens_in: float, tokens_out: float) -> float:
        return tokens_in / self.reading + tokens_out / self.writing


def speed_of(model: str) -> Speed:
    """A token costs two operations a parameter going forward, and as many again going backward through frozen weights."""
    parameters = layer_parameters(weights.ensure(model))
    reading = READING_SHARE * multiplication_flops() / (2 * parameters)
    training = trained_before(model) or TRAINING_SHARE * multiplication_flops() / (4 * parameters)
    return Speed(training, reading, WRITING_SHARE * reading)


def trained_before(model: str) -> float | None:
    """Tokens a second of the fastest of the last trainings of this model here; the others had less of the machine."""
    files = list(config.runs_dir().glob(f"*/tuned/{Path(model).stem}*/result.json"))
    newest = sorted(files, key=lambda one: one.stat().st_mtime, reverse=True)[:REMEMBERED]
    return max((rate for file in newest if (rate := _rate(file, model))), default=None)


def _rate(file: Path, model: str) -> float:
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
        if made["model"] != model:
            return 0.0
        return max(float(made["result"]["tokens_per_s"]), undisturbed(made["result"]))
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return 0.0


def undisturbed(result: Json) -> float:
    """Tokens a second of a training, had all steps of each epoch gone as the quickest quarter of them; 0.0 if it tells none.

    The others had less of the machine, or were followed by a validation, whose time is reckoned apart. An epoch is only
    compared with itself, as the first one may be slower by what the later ones keep of it.
    """
    epochs: dict[int, list[tuple[float, float]]] = {}
    tokens = seconds = 0.0
    for step in result.get("history", ()):
        steps_left = step["total_steps"] - step["step"]
        until_s = step["seconds_left"] * step["step"] / steps_left if steps_left else result["seconds"]
        until_tokens = step["tokens_per_s"] * until_s
        epochs.setdefault(math.ceil(step["epoch"]), []).append((until_tokens - tokens, until_s - seconds))
        tokens, seconds = until_tokens, until_s
    return tokens / sum(map(_quick_seconds, epochs.values())) if epochs else 0.0


def _quick_seconds(steps: list[tuple[float, float]]) -> float:
    """How long an epoch would take, by tokens and seconds of its steps."""
    rates = sorted(tokens / seconds for tokens, seconds in steps)
    return sum(tokens for tokens, _ in steps) / rates[len(rates) * 3 // 4]


@functools.cache
def multiplication_flops() -> float:
    """Floating point operations a second of all cores, multiplying large matrices in float32. Takes some milliseconds."""
    import numpy as np

    matrix = np.ones((SIZE, SIZE), np.float32)
    into = np.empty_like(matrix)
    seconds = []
    for _ in range(BURSTS):
        began = time.thread_time()
        for _ in range(MULTIPLICATIONS):
            np.matmul(matrix, matrix, out=into)
        seconds.append(time.thread_time() - began)
    one_core = MULTIPLICATIONS * 2 * SIZE**3 / max(min(seconds), 1e-6)
    return LARGE_MATRICES * one_core * config.cores()


def busy() -> float:
    """How many times longer local work takes while the machine is as busy as in the last minute; 1.0 where it is idle.

    Rather too much than too little: at a load of 15 on two cores a run took 5 times longer where this says 8.
    """
    try:
        waiting = os.getloadavg()[0]
    except (AttributeError, OSError):
        return 1.0
    return 1.0 + waiting / config.cores()
