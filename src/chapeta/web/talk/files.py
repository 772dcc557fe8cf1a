"""What was added to the composer, made an attachment: an image as it is, a document as its text, each with its price."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from chapeta.chat.documents import plain_name, read_document
from chapeta.chat.pictures import image_size, image_tokens, image_type
from chapeta.chat.request import PASSAGE_TOKENS
from chapeta.chat.tokens import Estimate
from chapeta.chat.types import Attachment, Mode
from chapeta.errors import BadInput
from chapeta.types import Price
from chapeta.web import words

MOST_IMAGE_BYTES = 20_000_000
WHOLE_SHARE = 2  # a document that takes more than half of the context window begins with its relevant parts
IMAGE_NAMES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif"))


@dataclass(frozen=True, slots=True)
class Taken:
    """An attachment, and what was left out or guessed when it was read, in words for the user."""

    attachment: Attachment
    warnings: tuple[str, ...] = ()


def attach(name: str, data: bytes, context_tokens: int | None = None) -> Taken:
    """Raises BadInput for what cannot be read. Blocks: a document is read in a process of its own."""
    name = plain_name(name)
    kind = image_type(data)
    if kind:
        return Taken(_image(name, kind, data))
    if data and PurePath(name).suffix.lower() in IMAGE_NAMES:
        raise BadInput(f"{name} has the name of a picture and is none.", "Save it as PNG or JPEG and add it again.")
    document = read_document(name, data)
    tokens = Estimate()(document.text)
    mode: Mode = "relevant" if context_tokens and tokens * WHOLE_SHARE > context_tokens else "whole"
    made = Attachment("", "", name, document.media_type, len(data), mode, tokens, document.text, None)
    return Taken(made, document.warnings)


def sizes(attachment: Attachment, price: Price | None) -> dict[Mode, str]:
    """What there is to choose for an attachment, each with its tokens and, where the model's price is known, its cost."""
    tokens = attachment.tokens or 0
    if attachment.mode == "image":
        return {"image": _size("about", tokens, price)}
    return {
        "whole": _size("whole text, about", tokens, price),
        "relevant": _size("relevant parts, at most", min(tokens, PASSAGE_TOKENS), price),
    }


def _size(about: str, tokens: int, price: Price | None) -> str:
    cost = f" · {words.usd(tokens * price.input / 1e6)}" if price is not None else ""
    return f"{about} {words.tokens(tokens)} tokens{cost}"


def _image(name: str, kind: str, data: bytes) -> Attachment:
    if len(data) > MOST_IMAGE_BYTES:
        most = MOST_IMAGE_BYTES // 1_000_000
        raise BadInput(f"{name} has {len(data) / 1e6:.0f} MB; {most} MB are the most.", "Save it smaller.")
    if not all(image_size(data) or (0,)):
        raise BadInput(f"{name} is a damaged picture.", "Save it again as PNG or JPEG, and add that.")
    return Attachment("", "", name, kind, len(data), "image", image_tokens(data), "", data)
