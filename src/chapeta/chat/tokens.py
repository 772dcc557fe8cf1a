"""How many tokens a text has: exactly where the model runs here, else an estimate that learns from what providers report.

The estimate looks at bytes of UTF-8, whose value tells the script. Its weights were fitted to the vocabularies of o200k,
Claude and DeepSeek: within 10% for English, code, CSV, JSON and Chinese; vocabularies differ by up to three times for
scripts such as Greek, Arabic or Devanagari, where the middle is taken. 1 MB takes a few milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chapeta.types import Json, Message

MESSAGE_TOKENS = 4  # role and marks around a message, in the templates that are published
REQUEST_TOKENS = 3  # what opens the answer
PRIOR_TOKENS = 400  # so much trust the weights have before a provider has reported anything
FORGET = 0.5  # what was reported before counts half as much at each new report: models are changed in mid-chat
LEAST_FACTOR, MOST_FACTOR = 0.4, 3.0

_LETTERS = bytes((*range(0x41, 0x5B), *range(0x61, 0x7B)))
_CLASSES: tuple[tuple[bytes, float], ...] = (  # tokens per character, counted by a character's first byte
    (_LETTERS, 0.25),
    (bytes(range(0x30, 0x3A)), 0.7),
    (b"\t\n\r", 1.0),
    (b" ", 0.02),  # goes with the word after it; long runs still cost something
    (bytes(b for b in range(0x21, 0x7F) if b not in _LETTERS and not 0x30 <= b < 0x3A), 0.53),
    (bytes(range(0xC2, 0xCE)), 1.4),  # accented Latin
    (bytes(range(0xCE, 0xE0)), 0.55),  # Greek, Cyrillic, Hebrew, Arabic
    (bytes((0xE0, 0xE1)), 0.85),  # Devanagari, Thai and their neighbours
    (b"\xe2", 0.6),  # dashes, quotes, arrows
    (bytes(range(0xE3, 0xEA)), 0.9),  # Chinese, Japanese
    (bytes(range(0xEA, 0xEE)), 1.05),  # Korean
    (bytes(range(0xEE, 0xF5)), 2.0),  # emoji and what is rare
)


class Count(Protocol):
    """Counts tokens for one model. exact: whether it is the model's own count."""

    @property
    def exact(self) -> bool: ...

    def __call__(self, text: str) -> int:
        """Tokens of a text by itself."""
        ...

    def around(self, messages: Sequence[Message], counted: int) -> int:
        """Tokens of a conversation beyond the `counted` ones of its texts: roles, marks, seams."""
        ...


@dataclass(frozen=True, slots=True)
class Exact:
    """By the model itself. text: tokens of a text; conversation: of messages in the model's template, ready to answer."""

    text: Callable[[str], int]
    conversation: Callable[[Sequence[Message]], int]

    @property
    def exact(self) -> bool:
        return True

    def __call__(self, text: str) -> int:
        return self.text(text)

    def around(self, messages: Sequence[Message], counted: int) -> int:
        return self.conversation(messages) - counted


@dataclass(frozen=True, slots=True)
class Estimate:
    """By script, times what was learnt. estimated, reported: sums of what `learn` was told, the latest weighing most."""

    estimated: float = 0.0
    reported: float = 0.0

    @property
    def exact(self) -> bool:
        return False

    @property
    def factor(self) -> float:
        """What the weights are multiplied with: 1 before anything was reported."""
        learnt = (PRIOR_TOKENS + self.reported) / (PRIOR_TOKENS + self.estimated)
        return min(MOST_FACTOR, max(LEAST_FACTOR, learnt))

    def __call__(self, text: str) -> int:
        return math.ceil(by_script(text) * self.factor)

    def around(self, messages: Sequence[Message], counted: int) -> int:  # noqa: ARG002 - not needed for a rule of thumb
        return math.ceil((len(messages) * MESSAGE_TOKENS + REQUEST_TOKENS) * self.factor)

    def learn(self, estimated: float, reported: int) -> Estimate:
        """With one more report. estimated: what `of_body` says about the request; reported: the provider's prompt tokens."""
        if estimated <= 0 or reported <= 0:
            return self
        return Estimate(self.estimated * FORGET + estimated, self.reported * FORGET + reported)


def by_script(text: str) -> float:
    """Tokens of a text by its characters' scripts, before any correction."""
    data = text.encode("utf-8", "replace")
    return sum((len(data) - len(data.translate(None, kind))) * weight for kind, weight in _CLASSES)


def of_body(body: Json) -> float | None:
    """The uncorrected estimate of a request that was sent, to learn from. None if it has images, whose tokens vary."""
    total = float(REQUEST_TOKENS)
    for message in body.get("messages", ()):
        content = message.get("content") or ""
        parts = [content] if isinstance(content, str) else [part.get("text") for part in content]
        if not all(isinstance(part, str) for part in parts):
            return None
        total += MESSAGE_TOKENS + sum(by_script(part) for part in parts)
    return total
