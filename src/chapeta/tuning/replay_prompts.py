"""General questions for the base model: its own answers to them become replay rows (`replay.py`).

The questions are ours (`replay_prompts.txt`, packaged beside this file, one a line): what people ask in everyday chat,
of many kinds and in four languages, in an order that goes by kind. None of them is in the general suite that measures
flexibility, nor close to one that is: a tuned model must not have practised what it is tested on.
"""

from __future__ import annotations

from importlib import resources

from chapeta.errors import BadInput
from chapeta.types import Decoding, Message, Request

PROMPTS_FILE = "replay_prompts.txt"
MAX_ANSWER_TOKENS = 96
"""Room for a short paragraph: replay rows should not outweigh the task's own rows in a batch."""


def replay_requests(model: str, count: int) -> tuple[Request, ...]:
    """The questions to ask `model`, greedily and without instructions: `count` of them, all if there are fewer.

    They are taken at even distances over the file, so that a few questions are of as many kinds as many are.
    """
    if count < 0:
        raise BadInput(f"{count} replay rows cannot be made.", "Give 0 for none, or a number above.")
    prompts = replay_prompts()
    taken = min(count, len(prompts))
    decoding = Decoding(max_tokens=MAX_ANSWER_TOKENS)
    spread = [prompts[number * len(prompts) // taken] for number in range(taken)]
    return tuple(Request(model, (Message("user", prompt),), decoding) for prompt in spread)


def replay_prompts() -> tuple[str, ...]:
    """All packaged questions, in the order of the file."""
    text = resources.files("chapeta.tuning").joinpath(PROMPTS_FILE).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line)
