"""HTML as Markdown: what a reader would see, without scripts, styles and hidden text."""

from __future__ import annotations

from chapeta.chat.documents import plain
from chapeta.chat.documents.document import tidy
from chapeta.errors import BadInput


def prepare(kind: str) -> None:  # noqa: ARG001
    import html_to_markdown  # noqa: F401


def read(name: str, kind: str, data: bytes, warnings: list[str]) -> tuple[str, int | None]:  # noqa: ARG001
    """The page as Markdown."""
    text = to_markdown(plain.decoded(name, data, warnings), warnings)
    if not text.strip():
        raise BadInput(f"{name} has no text inside; a script may write it.", "Save the page as PDF, or copy its text.")
    return text, None


def to_markdown(html: str, warnings: list[str]) -> str:
    """Markdown of a page or a fragment. Pictures are left out: their addresses tell a model nothing."""
    from html_to_markdown import ConversionOptions, convert

    result = convert(html, ConversionOptions(extract_metadata=False, skip_images=True))
    if result.warnings:
        warnings.append("The page is nested so deeply that parts of it are missing.")
    return tidy(result.content or "")
