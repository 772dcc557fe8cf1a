"""A document that was read, and the bounds of reading."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BYTES = 50_000_000
MAX_PAGES = 2000  # pages, slides or sheets
MAX_CHARS = 5_000_000  # of text; more than any model reads

# control characters that no database or terminal likes; "\t" and "\n" stay
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Document:
    """text: with its places marked ("[Page 3]", Markdown headings); pages: pages or slides, None where there are none.

    warnings: what was left out or guessed, in words for the user.
    """

    name: str
    media_type: str
    text: str
    pages: int | None = None
    warnings: tuple[str, ...] = ()


def plain_name(name: str) -> str:
    """A file's own name, without folders, line ends and what could be taken for a mark; never empty."""
    own = re.split(r"[/\\]", name.encode("utf-8", "replace").decode())[-1]
    return " ".join(re.sub(r"[<>\"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", " ", own).split())[:200] or "file"


def tidy(text: str) -> str:
    """Text with "\\n" line ends and without control characters and long runs of empty lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n")
    return re.sub(r"\n{4,}", "\n\n\n", _CONTROLS.sub("", text)).strip("\n")


def bounded(text: str, warnings: list[str]) -> str:
    """At most MAX_CHARS of a text, with a warning about the rest."""
    if len(text) > MAX_CHARS:
        warnings.append(f"Only the first {MAX_CHARS:,} of {len(text):,} characters were read.")
    return text[:MAX_CHARS]
