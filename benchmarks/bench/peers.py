"""The others, by llama.cpp's C API on the same tokens: row by row, and as fast as llama.cpp itself goes.

    python peers.py naive|batched TASK.json [--parallel N] [--ubatch N] [--unified]

`naive` computes each row's whole prompt afresh. `batched` computes what all rows of a candidate begin with once, copies
that sequence (`llama_memory_seq_cp`) and lets N rows go on in common batches, each place taken by the next row as soon as
it is free. Both answer greedily among the labels, asking the model only where the labels that are left part. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llama_api import Llama

from chapeta.config import calm_threads

CONTEXT_TOKENS = 1024


@dataclass
class Row:
    """A row on its way to its label. fed: tokens computed so far; pending: those to compute next."""

    prompt: list[int]
    options: dict[str, list[int]]
    place: int
    depth: int = 0
    fed: int = 0
    pending: list[int] = field(default_factory=list)

    def hear(self, logits: Any) -> str | None:
        """Takes the model's word for the next token, and all that follow from it; the label if it is settled."""
        while len(self.options) > 1:
            allowed = sorted({tokens[self.depth] for tokens in self.options.values()})
            if len(allowed) > 1:
                if logits is None:
                    return None
                chosen = allowed[int(logits[allowed].argmax())]
                self.options = {text: it for text, it in self.options.items() if it[self.depth] == chosen}
                logits = None
            self.pending.append(next(iter(self.options.values()))[self.depth])
            self.depth += 1
        return next(iter(self.options))


def naive(llama: Llama, prompts: list[list[int]], options: dict[str, list[int]]) -> list[str]:
    return [one_row(llama, prompt, options) for prompt in prompts]


def one_row(llama: Llama, prompt: list[int], options: dict[str, list[int]]) -> str:
    row = Row(prompt, options, 0, pending=list(prompt))
    llama.cut(0, -1)
    while True:
        logits = llama.decode([(0, row.pending, row.fed)])[0]
        row.fed, row.pending = row.fed + len(row.pending), []
        if label := row.hear(logits):
            return label


def batched(llama: Llama, prompts: list[list[int]], options: dict[str, list[int]], parallel: int) -> list[str]:
    shared = common_beginning(prompts)
    llama.cut(0, -1)
    llama.decode([(0, prompts[0][:shared], 0)])
    for sequence in range(1, parallel):
        llama.cut(sequence, -1)
        llama.copy(0, sequence)
    answers = [""] * len(prompts)
    waiting = iter(range(len(prompts)))
    rows = {sequence: row for sequence in range(parallel) if (row := next_row(waiting, prompts, options, shared))}
    while rows:
        order = list(rows)
        heard = llama.decode([(sequence, rows[sequence].pending, rows[sequence].fed) for sequence in order])
        for sequence, logits in zip(order, heard, strict=True):
            row = rows[sequence]
            row.fed, row.pending = row.fed + len(row.pending), []
            if label := row.hear(logits):
                answers[row.place] = label
                llama.cut(sequence, shared)
                if following := next_row(waiting, prompts, options, shared):
                    rows[sequence] = following
                else:
                    del rows[sequence]
    return answers


def next_row(
    waiting: Iterator[int], prompts: list[list[int]], options: dict[str, list[int]], shared: int
) -> Row | None:
    place = next(waiting, None)
    if place is None:
        return None
    return Row(prompts[place], options, place, fed=shared, pending=prompts[place][shared:])


def common_beginning(prompts: Sequence[list[int]]) -> int:
    """How many tokens all prompts begin with; each keeps one of its own."""
    first, last = min(prompts), max(prompts)
    longest = min(map(len, prompts)) - 1
    return next((n for n in range(longest) if first[n] != last[n]), longest)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=("naive", "batched"))
    parser.add_argument("task", type=Path)
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--ubatch", type=int, default=128)
    parser.add_argument("--unified", action="store_true")
    chosen = parser.parse_args()
    task = json.loads(chosen.task.read_text(encoding="utf-8"))
    calm_threads()
    parallel = 1 if chosen.way == "naive" else chosen.parallel
    llama = Llama(Path(task["model"]), parallel, CONTEXT_TOKENS, chosen.ubatch, chosen.unified)
    options = task["labels"]
    one_row(llama, task["candidates"][0]["prompts"][0][-8:], options)  # the weights are read
    started = time.perf_counter()
    answers = []
    for candidate in task["candidates"]:
        prompts = candidate["prompts"]
        answers.append(
            naive(llama, prompts, options) if parallel == 1 else batched(llama, prompts, options, chosen.parallel)
        )
    seconds = time.perf_counter() - started
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    json.dump({"seconds": seconds, "cpu_s": cpu.ru_utime, "said": answers}, sys.stdout)


if __name__ == "__main__":
    main()
