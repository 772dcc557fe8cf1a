"""What was dropped into the composer, made an attachment: an image as it is, a document as its text."""

from __future__ import annotations

from chapeta.chat.documents import read_document
from chapeta.chat.pictures import image_type
from chapeta.chat.tokens import Estimate
from chapeta.chat.types import Attachment
from chapeta.errors import BadInput

MOST_IMAGE_BYTES = 20_000_000


def attach(name: str, data: bytes) -> Attachment:
    """Raises BadInput for what cannot be read. Blocks: a document is read in a process of its own."""
    kind = image_type(data)
    if kind:
        if len(data) > MOST_IMAGE_BYTES:
            raise BadInput(f"{name} has {len(data) / 1e6:.0f} MB.", "Make it smaller than 20 MB.")
        return Attachment("", "", name, kind, len(data), "image", None, "", data)
    document = read_document(name, data)
    tokens = Estimate()(document.text)
    return Attachment("", "", name, document.media_type, len(data), "whole", tokens, document.text, None)
