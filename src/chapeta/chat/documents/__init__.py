"""What a file that was dropped into a chat says, as text for a model. Everything in it is untrusted.

Text is decoded here. What has to be parsed (PDF, Word, Excel, PowerPoint, HTML) is read in a child process that has
little memory and time, no secrets in its environment, and may neither write, nor reach the network, nor start a program
(`child.py`): a file that breaks its reader breaks nothing else.
"""

from __future__ import annotations

from chapeta.chat.documents import plain
from chapeta.chat.documents.document import MAX_BYTES, Document, plain_name
from chapeta.chat.documents.kinds import DOCX, HTML, PDF, PPTX, XLSX, kind_of
from chapeta.errors import BadInput

__all__ = ["DOCX", "HTML", "MAX_BYTES", "PDF", "PPTX", "XLSX", "Document", "media_type", "plain_name", "read_document"]


def read_document(name: str, data: bytes) -> Document:
    """The text of a file with its pages, slides or sheets named. Blocks for up to a minute: call it in a thread.

    Raises BadInput, which says what is wrong with the file: too large, empty, encrypted, damaged, a scan without text,
    a program or picture, made to exhaust the machine.
    """
    name = plain_name(name)
    if len(data) > MAX_BYTES:
        raise BadInput(
            f"{name} has {len(data) / 1e6:.0f} MB; {MAX_BYTES / 1e6:.0f} MB is the most.", "Attach a part of it."
        )
    if not data.strip(b"\x00\t\n\r "):
        raise BadInput(f"{name} is empty.", "Check the file and attach it anew.")
    kind = kind_of(name, data)
    if kind not in (PDF, DOCX, XLSX, PPTX, HTML):
        return plain.read(name, kind, data)
    from chapeta.chat.documents.parent import read_in_child  # the child itself begins sooner without it

    return read_in_child(name, kind, data)


def media_type(name: str, data: bytes) -> str:
    """What a file is, by its first bytes and then by its name. Raises BadInput for what no reader takes."""
    return kind_of(plain_name(name), data)
