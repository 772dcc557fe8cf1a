"""Word, Excel and PowerPoint. All are zip archives of XML: what they unpack to is added up before anything is parsed."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from chapeta.chat.documents import web
from chapeta.chat.documents.document import MAX_CHARS, MAX_PAGES, tidy
from chapeta.chat.documents.kinds import DOCX, XLSX
from chapeta.errors import BadInput

MAX_UNPACKED_BYTES = 300_000_000
MAX_XML_BYTES = 40_000_000  # of the one part that Word's reader keeps in memory as a tree
_SLIDE = re.compile(r"ppt/slides/slide(\d+)\.xml")
_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def prepare(kind: str) -> None:
    if kind == DOCX:
        import mammoth  # type: ignore[import-untyped]  # noqa: F401

        web.prepare(kind)
    elif kind == XLSX:
        import python_calamine  # noqa: F401


def read(name: str, kind: str, data: bytes, warnings: list[str]) -> tuple[str, int | None]:
    """The text, and how many slides or sheets."""
    if data.startswith(b"PK"):
        _check_size(name, data)
    reader = {DOCX: _word, XLSX: _sheets}.get(kind, _slides)
    text, pages = reader(name, data, warnings)
    if not text.strip():
        raise BadInput(f"{name} has no text inside.", "Check the file, or attach its content as pictures.")
    return text, pages


def _check_size(name: str, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    document = sum(
        entry.file_size for entry in entries if entry.filename.startswith("word/") and ".xml" in entry.filename
    )
    if unpacked > MAX_UNPACKED_BYTES or document > MAX_XML_BYTES:
        raise BadInput(f"{name} unpacks to {max(unpacked, document) / 1e6:,.0f} MB.", "Attach a part of it.")


def _word(name: str, data: bytes, warnings: list[str]) -> tuple[str, None]:  # noqa: ARG001
    import mammoth

    html = mammoth.convert_to_html(io.BytesIO(data), convert_image=lambda image: []).value  # noqa: ARG005
    return web.to_markdown(html, warnings), None


def _sheets(name: str, data: bytes, warnings: list[str]) -> tuple[str, int]:
    """Each sheet as CSV under its name: half the tokens of a Markdown table."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except python_calamine.PasswordError:
        raise BadInput(f"{name} is encrypted.", "Save it without a password and attach that.") from None
    names = book.sheet_names
    if len(names) > MAX_PAGES:
        warnings.append(f"Only the first {MAX_PAGES:,} of {len(names):,} sheets were read.")
    out = io.StringIO()
    for sheet in names[:MAX_PAGES]:
        rows = _rows(book.get_sheet_by_name(sheet))
        first = next(rows, None)
        if first is None:
            continue
        out.write(f"## {sheet}\n\n")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(first)
        for row in rows:
            writer.writerow(row)
            if out.tell() > MAX_CHARS:
                return tidy(out.getvalue()), len(names)
        out.write("\n")
    return tidy(out.getvalue()), len(names)


def _rows(sheet: object) -> Iterator[list[str]]:
    """Rows that are not empty, without empty cells at the end; whole numbers without ".0"."""
    for row in sheet.iter_rows():  # type: ignore[attr-defined]
        cells = [str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell) for cell in row]
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            yield cells


def _slides(name: str, data: bytes, warnings: list[str]) -> tuple[str, int]:  # noqa: ARG001
    """The text of each slide, paragraph by paragraph. Expat expands no external entity and bounds internal ones."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = sorted((int(m[1]), m[0]) for m in map(_SLIDE.fullmatch, archive.namelist()) if m)
        if len(found) > MAX_PAGES:
            warnings.append(f"Only the first {MAX_PAGES:,} of {len(found):,} slides were read.")
        slides = [(number, _paragraphs(archive.read(entry))) for number, entry in found[:MAX_PAGES]]
    if not any(text for _, text in slides):
        return "", len(found)
    return tidy("\n\n".join(f"[Slide {number}]\n{text}" for number, text in slides)), len(found)


def _paragraphs(xml: bytes) -> str:
    """In one pass, however deeply the paragraphs are nested in one another."""
    lines: list[str] = []
    runs: list[str] = []
    for _, element in ElementTree.iterparse(io.BytesIO(xml)):
        if element.tag == f"{_TEXT}t":
            runs.append(element.text or "")
        elif element.tag == f"{_TEXT}p":
            lines.append("".join(runs))
            runs = []
        element.clear()
    return "\n".join(line for line in lines if line.strip())
