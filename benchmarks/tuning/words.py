"""Rows of chance words, for measurements that need a length and no meaning."""

from __future__ import annotations

import random

from chapeta.tuning.trainer import TrainingRow
from chapeta.types import Example, Message

WORDS = "the card was not sent to my new house and I would like to know when it will come so that".split(" ")  # noqa: SIM905 - one token each
SYSTEM = "Answer with one label."


def rows(count: int, words: int, answer_words: int) -> list[TrainingRow]:
    """The same ones each time."""
    chance = random.Random(0)

    def text(length: int) -> str:
        return " ".join(chance.choices(WORDS, k=length))

    return [TrainingRow(SYSTEM, Example((Message("user", text(words)),), text(answer_words))) for _ in range(count)]
