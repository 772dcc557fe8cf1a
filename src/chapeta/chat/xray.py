"""The X-ray of a request that was sent: its messages taken apart again, each part with its tokens and their price.

Taken together, the texts of the parts are the texts of the messages, nothing left out and nothing added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from chapeta.chat.pictures import IMAGE_TOKENS, image_tokens
from chapeta.chat.request import GAP, PARTS, REFERENCE, SUMMARY, WHOLE, Load
from chapeta.chat.tokens import Count
from chapeta.errors import ChapetaError
from chapeta.types import Json, Message, Price

Kind = Literal["system", "summary", "document", "image", "history", "question"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a request. role: of its message; text: exactly as sent, "" for an image; usd: None where nobody says."""

    kind: Kind
    role: str
    label: str
    text: str
    tokens: int = 0
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Xray:
    """A request, taken apart. overhead: tokens of roles and marks around messages; exact: the model itself counted all.

    settings: what stands in the request beside its messages.
    """

    pieces: tuple[Piece, ...]
    overhead: int
    exact: bool
    settings: Json
    overhead_usd: float | None = None

    @property
    def tokens(self) -> int:
        return self.overhead + sum(piece.tokens for piece in self.pieces)

    @property
    def usd(self) -> float | None:
        """All of it; None as soon as one part's price is unknown."""
        known = [piece.usd for piece in self.pieces if piece.usd is not None]
        if self.overhead_usd is None or len(known) < len(self.pieces):
            return None
        return self.overhead_usd + sum(known)


def look(body: Json, question: str, count: Count, price: Price | None, load: Load) -> Xray:
    """Takes a request apart. question: what was asked, as the turn has it; load: the data of an image by its id."""
    pieces: list[Piece] = []
    counted = images = 0
    for kind, role, label, text, reference in dissected(body, question):
        if kind == "image" and not text:
            images += 1
            tokens = _size(reference, load)
            usd = None if price is None else _usd(tokens, price.input if price.image is None else price.image)
        else:
            tokens = count(text)
            counted += tokens
            usd = _usd(tokens, price.input if price else None)
        pieces.append(Piece(kind, role, label, text, tokens, usd))
    messages = [Message(one["role"], _text(one)) for one in body.get("messages", [])]
    overhead = max(0, count.around(messages, counted))
    settings = {name: value for name, value in body.items() if name != "messages"}
    return Xray(
        tuple(pieces), overhead, count.exact and not images, settings, _usd(overhead, price.input if price else None)
    )


Found = tuple[Kind, str, str, str, str]  # kind, role, label, text, the image's reference


def dissected(body: Json, question: str) -> Iterator[Found]:
    """The parts of a request's messages, in their order."""
    messages = body.get("messages", [])
    for place, message in enumerate(messages):
        role, text = str(message.get("role", "")), _text(message)
        for item in message["content"] if isinstance(message.get("content"), list) else ():
            if item.get("type") == "image_url":
                yield "image", role, "", "", str(item["image_url"]["url"])
        if role == "system":
            yield "system", role, "", text, ""
        elif role != "user":
            yield "history", role, "", text, ""
        else:
            asked = question.strip() if place == len(messages) - 1 else ""
            yield from _of_user(text, asked)


def _of_user(text: str, question: str) -> Iterator[Found]:
    """A message of the user's side: a summary, documents, what was said, and at the end what is asked."""
    rest, asked = (text[: -len(question)], question) if question and text.endswith(question) else (text, "")
    place = 0
    for found in _DOCUMENT.finditer(rest):
        yield from _said(rest[place : found.start()])
        yield "document", "user", found["name"], found[0], ""
        place = found.end()
    yield from _said(rest[place:])
    if asked:
        yield "question", "user", "", asked, ""


def _said(text: str) -> Iterator[Found]:
    if text:
        yield "summary" if text.startswith(SUMMARY) else "history", "user", "", text, ""


def _pattern() -> re.Pattern[str]:
    """A document as it is written between marks, with the sentence before it, which no other text of ours begins with."""
    heads = "|".join(re.escape(head).replace(re.escape("{name}"), r"[^\n]*") for head in (WHOLE, PARTS))
    gap = re.escape(GAP)
    return re.compile(
        rf'(?:{heads})\n<(?P<mark>document-\w+) name="(?P<name>[^\n]*)">\n.*?\n</(?P=mark)>(?:{gap})?', re.DOTALL
    )


_DOCUMENT = _pattern()


def _text(message: Any) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(item.get("text", "")) for item in content if item.get("type") == "text")
    return content if isinstance(content, str) else ""


def _size(reference: str, load: Load) -> int:
    if not reference.startswith(REFERENCE):
        return IMAGE_TOKENS
    try:
        return image_tokens(load(reference.partition(";")[2]))
    except ChapetaError:  # the picture is gone
        return IMAGE_TOKENS


def _usd(tokens: int, per_mtok: float | None) -> float | None:
    return None if per_mtok is None else tokens * per_mtok / 1e6
