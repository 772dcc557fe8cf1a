"""PDF through PDFium, the reader of Chromium: a 200-page file in a second, and used to hostile ones."""

from __future__ import annotations

import re

from chapeta.chat.documents.document import MAX_CHARS, MAX_PAGES, tidy
from chapeta.errors import BadInput

_NEEDS_PASSWORD = 4  # FPDF_ERR_PASSWORD
_HYPHEN = re.compile("[\x02\ufffe](?:\r?\n)?")  # what PDFium makes of a hyphen at the end of a line
_END_BYTES = 2048


def prepare(kind: str) -> None:  # noqa: ARG001 - one library for the one kind
    import pypdfium2  # type: ignore[import-untyped]  # noqa: F401


def read(name: str, kind: str, data: bytes, warnings: list[str]) -> tuple[str, int | None]:  # noqa: ARG001
    """The text with its pages marked, and how many there are."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        total = len(pdf)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _NEEDS_PASSWORD:
            remedy = "Open it with its password, save or print it without one and attach that."
            raise BadInput(f"{name} is encrypted.", remedy) from None
        raise BadInput(f"{name} is damaged or cut short.", "Get the file again, or save it anew.") from None
    if b"%%EOF" not in data[-_END_BYTES:]:
        warnings.append("The file seems to be cut short; its last pages may be missing.")
    if total > MAX_PAGES:
        warnings.append(f"Only the first {MAX_PAGES:,} of {total:,} pages were read.")
    pages: list[str] = []
    empty = broken = chars = 0
    for number in range(min(total, MAX_PAGES)):
        try:
            text = tidy(_HYPHEN.sub("", _page(pdf, number)))
        except pypdfium2.PdfiumError:
            broken += 1
            continue
        empty += not text.strip()
        chars += len(text)
        pages.append(f"[Page {number + 1}]\n{text}")
        if chars > MAX_CHARS:
            break
    _judge(name, len(pages), empty, broken, warnings)
    return "\n\n".join(pages), total


def _judge(name: str, pages: int, empty: int, broken: int, warnings: list[str]) -> None:
    if not pages:
        raise BadInput(f"None of the pages of {name} can be read: it is damaged.", "Save it anew, or print it to PDF.")
    if empty == pages:
        raise BadInput(
            f"{name} has no text inside; it may be a scan.",
            "Run text recognition (OCR) over it, or attach its pages as pictures.",
        )
    if empty:
        warnings.append(f"{empty} of {pages} pages have no text; they may be pictures.")
    if broken:
        warnings.append(f"{broken} damaged pages were left out.")


def _page(pdf: object, number: int) -> str:
    page = pdf[number]  # type: ignore[index]
    try:
        return str(page.get_textpage().get_text_bounded())
    finally:
        page.close()
