"""What is attached to turns. Texts and images are kept once a chat, however often a question with them is said anew."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select

from chapeta.chat import rows
from chapeta.chat.types import Attachment, Turn
from chapeta.errors import BadInput, Missing
from chapeta.storage import values
from chapeta.storage.tables import attachments, contents


def add(connection: Connection, turn: Turn, given: Sequence[Attachment]) -> None:
    """Attaches files to a new turn, in their order. Raises BadInput for one that is too large."""
    for attachment in given:
        image = attachment.data
        if image is None and attachment.mode == "image" and attachment.id:
            image = data(connection, attachment.id)
        if len(image or b"") > rows.MOST_DATA_BYTES:
            raise BadInput(
                f"{rows.line(attachment.name)} has {len(image or b'') / 1e6:.0f} MB.",
                f"Make it smaller than {rows.MOST_DATA_BYTES >> 20} MB.",
            )
        row = {
            "id": rows.new_id(), "chat_id": turn.chat_id, "turn_id": turn.id, "name": rows.line(attachment.name),
            "media_type": rows.line(attachment.media_type), "size": values.whole(attachment.size) or 0,
            "mode": attachment.mode, "tokens": values.whole(attachment.tokens),
            "text_id": rows.keep_content(connection, turn.chat_id, rows.text(attachment.text).encode()),
            "data_id": rows.keep_content(connection, turn.chat_id, image or b""),
        }  # fmt: skip
        connection.execute(attachments.insert(), row)


def of(connection: Connection, turn_ids: Sequence[str]) -> dict[str, list[Attachment]]:
    """Attachments by turn, with texts and without data."""
    text = and_(contents.c.chat_id == attachments.c.chat_id, contents.c.id == attachments.c.text_id)
    found: dict[str, list[Attachment]] = {}
    for some in rows.portions(turn_ids):
        here = select(*rows.ATTACHMENT).join(contents, text, isouter=True)
        here = here.where(attachments.c.turn_id.in_(map(values.text, some))).order_by(attachments.c.number)
        for row in connection.execute(here):
            found.setdefault(row.turn_id, []).append(rows.attachment_of(row))
    return found


def data(connection: Connection, attachment_id: str) -> bytes:
    """An image's bytes. Raises Missing."""
    image = and_(contents.c.chat_id == attachments.c.chat_id, contents.c.id == attachments.c.data_id)
    found = select(contents.c.data).join(attachments, image).where(attachments.c.id == values.text(attachment_id))
    kept = connection.execute(found).scalar()
    if kept is None:
        raise Missing("The picture is not there (any more).", "Attach it again.")
    return bytes(kept)
