"""Lengths in tokens: does a row fit the context window, and how long are the rows.

A byte-level tokenizer never makes more tokens than a text has UTF-8 bytes, so most rows are known to fit without being
tokenised. Statistics come from a seeded sample of 2,000 rows (all rows where there are fewer).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from chapeta.examples.rows import RowFault
from chapeta.types import Example

CountTokens = Callable[[str], int]

SAMPLE_ROWS = 2000
TOKENS_A_TURN = 8
"""Room for the marks around each turn (chat templates use 4 to 7 tokens)."""
BYTES_A_TOKEN = 4
"""A rough figure for European languages, used only where no tokenizer is given."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of whole rows, input and answer. `sampled` rows were measured; `exact` is False for estimates by bytes."""

    min: int
    median: int
    p95: int
    max: int
    sampled: int
    exact: bool


class Fit:
    """Measures rows against a context window of `context_tokens`."""

    def __init__(self, context_tokens: int, count_tokens: CountTokens | None = None) -> None:
        self.context_tokens, self.count_tokens = context_tokens, count_tokens
        self._sample: list[int] = []
        self._seen = 0
        self._random = random.Random(0)

    def fault(self, example: Example) -> RowFault | None:
        """What is wrong with a row that does not fit; None when it fits."""
        marks = TOKENS_A_TURN * (len(example.messages) + 2)
        if marks + _bytes(example) <= self.context_tokens:
            return None
        tokens = marks + self.tokens(example)
        if tokens <= self.context_tokens:
            return None
        remedy = f"Shorten it, or choose a model with a longer context than {self.context_tokens:,} tokens."
        about = "" if self.count_tokens else "about "
        return RowFault("The row is longer than the context window.", remedy, f"{about}{tokens:,} tokens")

    def tokens(self, example: Example) -> int:
        """Tokens of all texts of a row, without the marks of a chat template."""
        if self.count_tokens is None:
            return -(-_bytes(example) // BYTES_A_TOKEN)
        return sum(self.count_tokens(message.content) for message in example.messages) + self.count_tokens(
            example.answer
        )

    def measure(self, example: Example) -> None:
        """Take a row into the statistics: reservoir sampling, so every row has the same chance."""
        self._seen += 1
        if len(self._sample) < SAMPLE_ROWS:
            self._sample.append(self.tokens(example))
        else:
            place = self._random.randrange(self._seen)
            if place < SAMPLE_ROWS:
                self._sample[place] = self.tokens(example)

    def lengths(self) -> Lengths | None:
        """Statistics of the measured rows, None without any. Percentiles are the nearest rank."""
        if not self._sample:
            return None
        ordered = sorted(self._sample)
        count = len(ordered)
        median, p95 = ordered[-(-count // 2) - 1], ordered[-(-95 * count // 100) - 1]
        return Lengths(ordered[0], median, p95, ordered[-1], count, self.count_tokens is not None)


def _bytes(example: Example) -> int:
    return sum(len(message.content.encode()) for message in example.messages) + len(example.answer.encode())
