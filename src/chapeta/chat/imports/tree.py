"""What an import reads and says: whole chats as trees, and a report of what came over and what did not. No I/O."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chapeta.chat.types import Attachment, Chat, Summary, Turn

MOST_NAMED = 200  # of the things that were left out; all of them are counted
MOST_SHOWN = 120  # characters of a title or a name in the report
_UNHOLDABLE = re.compile("[\x00\ud800-\udfff]")  # no UTF-8 for half a pair, and PostgreSQL holds no NUL


@dataclass(frozen=True, slots=True)
class Tree:
    """A chat with all its branches, parents before children.

    Ids are the same whenever the same export is read, so that reading it twice adds nothing. part: 1, 2 … where a chat
    is spread over several records, of which each names the chat again.
    """

    chat: Chat
    turns: tuple[Turn, ...]
    attachments: tuple[Attachment, ...] = ()
    summaries: tuple[Summary, ...] = ()
    part: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that did not come over: `what` is text of the export and as untrusted as that."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did.

    chats, turns, attachments: how many are new. grown: chats that were there and got new turns. already_there: chats of
    the export that were there, with all their turns. skipped: what was left out, the first of them by name;
    reasons: how many of each kind, all of them.
    """

    chats: int = 0
    turns: int = 0
    attachments: int = 0
    grown: int = 0
    already_there: int = 0
    skipped: tuple[Skipped, ...] = ()
    reasons: dict[str, int] = field(default_factory=dict)


class Skips:
    """Collects what is left out, in bounded memory."""

    def __init__(self) -> None:
        self.named: list[Skipped] = []
        self.reasons: Counter[str] = Counter()

    def add(self, what: str, why: str, count: int = 1) -> None:
        self.reasons[why] += count
        if len(self.named) < MOST_NAMED:
            self.named.append(Skipped(shown(what), why))


def clean(value: Any) -> str:
    """A text that any database and any file can hold; "" for what is no text."""
    return _UNHOLDABLE.sub("\ufffd", value) if isinstance(value, str) else ""


def shown(text: str) -> str:
    """Untrusted text on one line, without control characters, shortened."""
    text = text[: MOST_SHOWN * 20]  # an untrusted one may be very long
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MOST_SHOWN else line[: MOST_SHOWN - 1] + "…"


def identity(*parts: str) -> str:
    """32 hexadecimal digits that depend on all parts and on nothing else."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:32]


def moment(value: Any) -> float | None:
    """Seconds since 1970 from a number (seconds or milliseconds) or an ISO time; None for what is no time."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
            value = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    seconds = value / 1000 if value > 1e11 else float(value)
    return seconds if 0 < seconds < 1e11 else None


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing for what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def fenced(code: str, language: str = "") -> str:
    """Text as a block of code in Markdown, whatever it holds itself."""
    runs = re.findall("`{3,}", code)
    fence = "`" * (max(map(len, runs), default=2) + 1)
    word = language if re.fullmatch(r"[\w+#.-]{1,20}", language) and language != "unknown" else ""
    return f"{fence}{word}\n{code}\n{fence}"
