"""Text in whatever encoding: UTF-8, UTF-16 and UTF-32 by their marks, else Windows-1252 with a warning."""

from __future__ import annotations

import codecs

from chapeta.chat.documents.document import Document, bounded, tidy
from chapeta.errors import BadInput

_MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_SAMPLE = 65536
_NUL_SHARE = 0.2  # of the bytes of Latin text in UTF-16, half are NUL; on one side
_CONTROL_SHARE = 0.01  # of a text; more of them are no text
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\x0b\x0c\r\x1b"))
_BROKEN_SHARE = 0.05  # of the characters beyond ASCII: with fewer broken ones it is UTF-8 all the same


def read(name: str, media_type: str, data: bytes) -> Document:
    """A text file. Raises BadInput for binary data."""
    warnings: list[str] = []
    text = tidy(bounded(decoded(name, data, warnings), warnings))  # cut first: tidying a long one holds everybody up
    if not text.strip():
        raise BadInput(f"{name} is empty.", "Check the file and attach it anew.")
    return Document(name, media_type, text, warnings=tuple(warnings))


def decoded(name: str, data: bytes, warnings: list[str]) -> str:
    """Bytes as text; adds to `warnings` where that is a guess. Raises BadInput for binary data."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _with_mark(data, encoding, warnings)
    sample = data[:_SAMPLE]
    if b"\x00" in sample:
        return _without_mark(name, data, sample, warnings)
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > len(sample) * _CONTROL_SHARE:
        raise _binary(name)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _guessed(data, warnings)


def _guessed(data: bytes, warnings: list[str]) -> str:
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    beyond_ascii = sum(len(line) - len(line.encode("ascii", "ignore")) for line in text.split("\n"))
    if broken <= max(1, beyond_ascii * _BROKEN_SHARE) and beyond_ascii > broken:
        warnings.append(f"{broken} broken characters were replaced; the file may be damaged or cut short.")
        return text
    warnings.append("The file is not UTF-8; it was read as Windows-1252. Check its accents.")
    return data.decode("cp1252", "replace")


def _with_mark(data: bytes, encoding: str, warnings: list[str]) -> str:
    text = data.decode(encoding, "replace")
    if "\ufffd" in text:
        warnings.append(f"{text.count('�')} broken characters were replaced; the file may be damaged or cut short.")
    return text


def _without_mark(name: str, data: bytes, sample: bytes, warnings: list[str]) -> str:
    """UTF-16 without a mark: for most scripts, NUL is every other byte, always on the same side."""
    for side, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        nuls, others = sample[side::2].count(0), sample[1 - side :: 2].count(0)
        if nuls > len(sample) * _NUL_SHARE and others * 20 < nuls:
            return _with_mark(data, encoding, warnings)
    raise _binary(name)


def _binary(name: str) -> BadInput:
    return BadInput(
        f"{name} is not text, and in no format that can be read.",
        "Attach a text, PDF, Word, Excel, PowerPoint or HTML file.",
    )
