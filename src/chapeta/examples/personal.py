"""Secrets and personal data in an example before it enters a dataset: what was found, and where it stands.

The same shapes as in `secrets.py`; there a file is searched and places do not matter, here a person is shown where to
look. Nothing is refused: whoever keeps the row decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from chapeta.examples.secrets import SHAPES, masked, matches
from chapeta.types import Message

MOST_PLACES = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Something found. turn: the message it stands in, counted from 0; the answer comes after the last message.

    start, end: its characters in that text. value: masked, its first and last two characters.
    """

    kind: str
    turn: int
    start: int
    end: int
    value: str


def point_out(messages: Sequence[Message], answer: str) -> tuple[Place, ...]:
    """E-mail and IP addresses, phone, IBAN and card numbers, keys and tokens, in the order of the text.

    At most 200 of them: a text with more is no example with a slip in it.
    """
    found: list[Place] = []
    for turn, text in enumerate((*(message.content for message in messages), answer)):
        found += sorted(islice(_in_text(text, turn), MOST_PLACES), key=lambda place: place.start)
        if len(found) >= MOST_PLACES:
            break
    return tuple(found[:MOST_PLACES])


def _in_text(text: str, turn: int) -> Iterator[Place]:
    taken = bytearray(len(text))
    for likely, shapes in SHAPES:
        if likely(text):
            for kind, match in matches(text, shapes, taken):
                yield Place(kind, turn, match.start(), match.end(), masked(match.group()))
