"""What everybody answers: rows of BANKING77, among its 77 labels, under a Skill of so many tokens."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from chapeta.types import Candidate, Decoding, Example, Labels, Message

ANSWER_TOKENS = 32
Tokenise = Callable[[str], Sequence[int]]


def read(path: Path) -> list[Example]:
    with path.open(newline="", encoding="utf-8") as file:
        return [Example((Message("user", row["text"]),), row["category"]) for row in csv.DictReader(file)]


def drawn(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """So many rows at random, no text twice."""
    once = list({example.question: example for example in examples}.values())
    return random.Random(seed).sample(once, count)


def labels_of(examples: Sequence[Example]) -> tuple[str, ...]:
    return tuple(sorted({example.answer for example in examples}))


def skill_text(train: Sequence[Example], title: str, tokens: int, tokenise: Tokenise) -> str:
    """A Skill's instructions of about so many tokens, rather fewer: the intents, and examples of as many as fit."""
    head = f"# {title}\n\nRead the customer's message and answer with the one intent that fits it best.\n\n"
    shown = ""
    tail = (
        "\n\n## Intents\n\n" + ", ".join(labels_of(train)) + "\n\nAnswer with the intent alone, as it is written above."
    )
    for example in train:
        more = f"{shown}\n- {example.question.strip()} → {example.answer}"
        if len(tokenise(f"{head}## Examples\n{more}{tail}")) <= tokens:
            shown = more
    return f"{head}## Examples\n{shown}{tail}"


def candidates(data: Path, model: str, count: int, skill_tokens: int, tokenise: Tokenise) -> list[Candidate]:
    """So many candidates of one model, each with a Skill of its own."""
    train = read(data / "train.csv")
    decoding = Decoding(ANSWER_TOKENS, Labels(labels_of(train)))
    made = []
    for number in range(count):
        text = skill_text(drawn(train, 60, number), f"Intents, {number + 1}", skill_tokens, tokenise)
        made.append(Candidate(f"skill-{number + 1}", model, decoding, text))
    return made
