"""Small real files in each format, written by hand: what a test reads is what it says here."""

from __future__ import annotations

import io
import zipfile
import zlib

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def pdf(pages: list[str], encrypted: bool = False, content: bytes | None = None) -> bytes:
    """A PDF with a line of Latin text a page; content: the drawing commands of all pages instead."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, text in enumerate(pages):
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("cp1252")
        drawn = content if content is not None else b"BT /F 12 Tf 72 700 Td (" + escaped + b") Tj ET" if text else b""
        packed = zlib.compress(drawn, 9)
        resources = b"/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>"
        objects += [
            b"<</Type/Page/Parent 2 0 R%s/Contents %d 0 R>>" % (resources, 5 + 2 * number),
            b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed),
        ]
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    lock = b"/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (b"1a" * 32, b"2b" * 32)
    out += b"trailer<</Size %d/Root 1 0 R%s>>\n" % (len(objects) + 1, lock if encrypted else b"")
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def archive(entries: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return out.getvalue()


def docx(body: str, head: str = "") -> bytes:
    """A Word file with this content of w:body; head: what stands before the root, such as a DOCTYPE."""
    types = (
        f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    document = f'{XML}{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return archive(
        {
            "[Content_Types].xml": types,
            "_rels/.rels": _relation("officeDocument", "word/document.xml"),
            "word/document.xml": document,
        }
    )


def _relation(kind: str, target: str) -> str:
    found = f'<Relationship Id="r1" Type="{RELATIONS}/{kind}" Target="{target}"/>'
    return f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{found}</Relationships>'


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def table(rows: list[list[str]]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def xlsx(name: str, cells: dict[str, str | float]) -> bytes:
    """An Excel file with one sheet; cells by their place, row by row."""
    rows: dict[int, list[str]] = {}
    for place, value in cells.items():
        row = int("".join(c for c in place if c.isdigit()))
        cell = f'<c r="{place}"><v>{value}</v></c>'
        if isinstance(value, str):
            cell = f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        rows.setdefault(row, []).append(cell)
    data = "".join(f'<row r="{row}">{"".join(found)}</row>' for row, found in sorted(rows.items()))
    book = (
        f'{XML}<workbook xmlns="{SHEET}" xmlns:r="{RELATIONS}"><sheets><sheet name="{name}" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>"
    )
    types = (
        f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
    )
    sheet = f'{XML}<worksheet xmlns="{SHEET}"><sheetData>{data}</sheetData></worksheet>'
    return archive({
        "[Content_Types].xml": types,
        "_rels/.rels": _relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": _relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": sheet,
    })  # fmt: skip


def pptx(slides: list[str], head: str = "") -> bytes:
    """A PowerPoint file with one paragraph a slide; head: what stands before each root."""
    entries: dict[str, str | bytes] = {"ppt/presentation.xml": f"{XML}<p/>"}
    for number, text in enumerate(slides, 1):
        slide = f'{XML}{head}<s xmlns:a="{DRAWING}"><a:p><a:r><a:t>{text}</a:t></a:r></a:p></s>'
        entries[f"ppt/slides/slide{number}.xml"] = slide
    return archive(entries)


def png(width: int, height: int) -> bytes:
    """A grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 0, 0, 0, 0))
    rows = zlib.compress((b"\x00" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
