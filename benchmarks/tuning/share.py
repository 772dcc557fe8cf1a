"""What share of this machine's matrix multiplication our training reaches, both read in turn in one process.

    python benchmarks/tuning/share.py             some minutes, nothing else needed

Readings taken at other times do not compare on a machine with neighbours: here every step stands between two readings.
Counted are 4 × 106 M FLOP a token of the rows, as in `run.py`: adapters, attention and the head come on top uncounted, and
the beginning that rows share, which is computed once, counts in each row. The last figure counts it once.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch
from ceiling import SHAPES, TOKENS
from table import FLOP_A_TOKEN
from words import rows as words_rows

from chapeta.engine import weights
from chapeta.tuning import loop, lora
from chapeta.tuning.load import load
from chapeta.tuning.packing import shared_beginning
from chapeta.tuning.tokenise import tokenise

BATCH_ROWS, WORDS = 16, 18
READING_S = 0.15  # of each shape


def main(rounds: int, precision: str) -> None:
    loaded = load(weights.ensure("smollm2-135m"), precision)
    adapter = lora.inject(loaded.model, 16, 32, 0)
    optimiser = torch.optim.AdamW(lora.parameters(adapter), 5e-4, fused=True)
    rows = tokenise(words_rows(BATCH_ROWS, WORDS, 3), loaded.tokeniser).rows
    tokens = sum(len(row.ids) - 1 for row in rows)
    computed = tokens - (len(rows) - 1) * shared_beginning([row.ids[:-1] for row in rows])
    shares, speeds, peaks = [], [], [reading(loaded.model.dtype)]
    for number in range(rounds + 1):
        started = time.perf_counter()
        loop.backward(loaded, rows, 768)
        optimiser.step()
        optimiser.zero_grad()
        speed = tokens / (time.perf_counter() - started)
        peaks.append(reading(loaded.model.dtype))
        if number:  # the first step makes the optimiser's state
            speeds.append(speed)
            shares.append(speed * FLOP_A_TOKEN / 1e9 / ((peaks[-2] + peaks[-1]) / 2))
    low, middle, high = (f"{100 * share:.0f} %" for share in (min(shares), median(shares), max(shares)))
    print(f"{rounds} steps of {len(rows)} rows, {tokens} tokens, {loaded.model.dtype}")
    print(f"{median(speeds):.0f} tokens/s ({min(speeds):.0f}–{max(speeds):.0f})")
    print(f"matrix multiply {median(peaks):.0f} GFLOP/s ({min(peaks):.0f}–{max(peaks):.0f})")
    print(f"share of it {middle} ({low}–{high}); of what was computed {100 * median(shares) * computed / tokens:.0f} %")


def reading(dtype: torch.dtype) -> float:
    """GFLOP/s of a layer's wide products just now: the mean over the shapes, each repeated for a moment."""
    found = []
    with torch.inference_mode():
        for inputs, outputs in SHAPES:
            x, weight = torch.randn(TOKENS, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype)
            torch.nn.functional.linear(x, weight)
            count, started = 0, time.perf_counter()
            while time.perf_counter() - started < READING_S:
                torch.nn.functional.linear(x, weight)
                count += 1
            found.append(2 * TOKENS * inputs * outputs * count / (time.perf_counter() - started) / 1e9)
    return sum(found) / len(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    chosen = parser.parse_args()
    main(chosen.rounds, chosen.precision)
