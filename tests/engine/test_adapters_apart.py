"""What a prompt's tokens became with one adapter is never taken for another's, nor for the base model's."""

from __future__ import annotations

from pathlib import Path

from chapeta.engine.llama import Engine
from chapeta.types import Decoding, Message, Request

PROMPTS = [
    f"{about}: explain in a few words what it is and why people like it. " * 3
    for about in ("Winter", "Trains", "Soup", "Owls", "Chess", "Rain")
]


def answers(model: Path, adapter: Path, tuned: list[bool]) -> list[list[str]]:
    """What a new engine says to all prompts, round by round, with the adapter or without."""
    engine = Engine(model, [str(adapter)], slots=4, context_tokens=768)
    try:
        return [
            [
                engine.answer(Request("", (Message("user", it),), Decoding(8), str(adapter) if with_it else None)).text
                for it in PROMPTS
            ]
            for with_it in tuned
        ]
    finally:
        engine.close()


def test_prompts_that_lost_their_slots_are_computed_anew_for_another_adapter(
    embedded_model: Path, adapter: Path
) -> None:
    """With llama.cpp's cache of such prompts, five of these six tuned answers went on from the base model's prompt."""
    [tuned] = answers(embedded_model, adapter, [True])
    [base] = answers(embedded_model, adapter, [False])
    assert not set(tuned) & set(base)
    assert answers(embedded_model, adapter, [False, True, False]) == [base, tuned, base]
