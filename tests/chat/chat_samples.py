"""Turns and attachments for tests, and any chat that hypothesis can think of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from document_files import png
from hypothesis import strategies as st

from chapeta.chat.types import Attachment, Mode, Status, Summary, Turn

IMAGE = png(64, 64)


def turn(id: str, role: Literal["user", "assistant"], text: str, status: Status = "done") -> Turn:
    return Turn(id, "chat1", None, role, text, status, 0.0)


def talk(*texts: str) -> list[Turn]:
    """Turns t0, t1 … by the user and the assistant in turn."""
    return [turn(f"t{n}", "assistant" if n % 2 else "user", text) for n, text in enumerate(texts)]


def document(id: str, turn_id: str, text: str, mode: Mode = "whole", name: str = "report.md") -> Attachment:
    return Attachment(id, turn_id, name, "text/markdown", len(text), mode, text=text)


def picture(id: str, turn_id: str, data: bytes | None = IMAGE) -> Attachment:
    return Attachment(id, turn_id, "a.png", "image/png", len(IMAGE), "image", data=data)


def summary(upto_id: str, text: str) -> Summary:
    return Summary("s1", "chat1", upto_id, text, None, 0.0)


@dataclass(frozen=True)
class Sample:
    turns: list[Turn]
    attachments: dict[str, list[Attachment]]
    skill: str
    summary: Summary | None


_texts = st.text(st.sampled_from("ab c\n.,9{}世ñ<>"), max_size=300)
_statuses: list[Status] = ["done", "done", "failed", "stopped", "cut", "streaming"]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """A path that ends with a question of the user's: failed and empty answers, files, a summary of any place."""
    turns: list[Turn] = []
    attachments: dict[str, list[Attachment]] = {}
    for number in range(draw(st.integers(0, 6))):
        role: Literal["user", "assistant"] = draw(st.sampled_from(["user", "assistant"]))
        status = "done" if role == "user" else draw(st.sampled_from(_statuses))
        turns.append(turn(f"t{number}", role, draw(_texts), status))
    turns.append(turn("ask", "user", draw(_texts.filter(str.strip))))
    for place, one in enumerate(turns):
        if one.role == "user" and draw(st.booleans()):
            mode: Mode = draw(st.sampled_from(["whole", "relevant", "image"]))
            made = document(f"d{place}", one.id, draw(_texts) * draw(st.integers(1, 30)), mode)
            attachments[one.id] = [picture(f"d{place}", one.id) if mode == "image" else made]
    upto = draw(st.sampled_from([None, *turns[:-1]])) if len(turns) > 1 else None
    found = summary(upto.id, draw(_texts)) if upto else None
    return Sample(turns, attachments, draw(st.sampled_from(["", "Answer in one word."])), found)
