"""What a file is: by its first bytes, which do not lie by accident, then by its name, then whether it is text at all."""

from __future__ import annotations

import io
from pathlib import PurePath

from chapeta.chat.pictures import image_type
from chapeta.errors import BadInput
from chapeta.storage.zips import Bounded

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
HTML = "text/html"
TEXT = "text/plain"

MOST_TABLE_BYTES = 1 << 20  # of a ZIP's contents: some ten thousand parts
# the part of a zip archive that makes it a document
_PARTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX, "xl/workbook.bin": XLSX, "ppt/presentation.xml": PPTX}
_NAMES = {
    ".html": HTML, ".htm": HTML, ".xhtml": HTML, ".md": "text/markdown", ".markdown": "text/markdown",
    ".csv": "text/csv", ".tsv": "text/tab-separated-values", ".json": "application/json", ".jsonl": "application/jsonl",
    ".xml": "application/xml", ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",
}  # fmt: skip
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Office before 2007, and encrypted documents of today
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OLD_WORD = "WordDocument".encode("utf-16-le")
_REMEDY_TEXT = "Attach a text, PDF, Word, Excel, PowerPoint or HTML file."
_BINARY = (
    (b"\x7fELF", "a program"), (b"MZ", "a program"), (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\x1f\x8b", "an archive"), (b"7z\xbc\xaf\x27\x1c", "an archive"), (b"Rar!", "an archive"),
    (b"BZh", "an archive"), (b"\xfd7zXZ", "an archive"), (b"\x28\xb5\x2f\xfd", "an archive"),
    (b"SQLite format 3\x00", "a database"), (b"PAR1", "a Parquet file"), (b"GGUF", "a model"),
    (b"ID3", "a sound file"), (b"OggS", "a sound file"), (b"fLaC", "a sound file"), (b"RIFF", "a sound or video file"),
    (b"\x1aE\xdf\xa3", "a video"), (b"\x00\x00\x01\x00", "a picture"), (b"II*\x00", "a picture"), (b"MM\x00*", "a picture"),
)  # fmt: skip


def kind_of(name: str, data: bytes) -> str:
    """The media type of a file that can be read as a document. Raises BadInput, in plain words, for any other."""
    head = data[:1024]
    if b"%PDF-" in head:
        return PDF
    if data.startswith(b"PK\x03\x04"):
        return _archive(name, data)
    if data.startswith(b"PK\x05\x06"):
        raise BadInput(f"{name} is an empty archive.", _REMEDY_TEXT)
    if data.startswith(_OLE):
        return _ole(name, data)
    if image_type(data):
        raise BadInput(f"{name} is a picture.", "Attach it as a picture.")
    if data[4:8] == b"ftyp":
        raise BadInput(f"{name} is a video, or a picture in a format of video.", _REMEDY_TEXT)
    for start, what in _BINARY:
        if data.startswith(start) and (len(start) > 2 or b"\x00" in head):
            raise BadInput(f"{name} is {what}, not a document.", _REMEDY_TEXT)
    by_name = _NAMES.get(PurePath(name).suffix.lower(), TEXT)
    start_of_text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return HTML if by_name == TEXT and start_of_text.startswith((b"<!doctype html", b"<html")) else by_name


def _archive(name: str, data: bytes) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(Bounded(io.BytesIO(data), MOST_TABLE_BYTES)) as archive:
            entries = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeDecodeError):
        raise BadInput(f"{name} is damaged or cut short.", "Get the file again, or save it anew.") from None
    for part, kind in _PARTS.items():
        if part in entries:
            return kind
    raise BadInput(f"{name} is an archive, not a document.", "Unpack it and attach the files inside.")


def _ole(name: str, data: bytes) -> str:
    if _ENCRYPTED in data:
        raise BadInput(f"{name} is encrypted.", "Open it with its password, save it without one and attach that.")
    if _OLD_WORD in data:
        raise BadInput(f"{name} is in Word's format from before 2007.", "Save it as .docx or PDF and attach that.")
    if PurePath(name).suffix.lower() == ".xls":
        return XLSX  # its reader takes the old form, too
    raise BadInput(f"{name} is in an Office format from before 2007.", "Save it as .docx, .pptx, .xlsx or PDF.")
