"""Documents that were sent whole, sent in relevant parts from now on: their text stays, and so does what was sent before."""

from __future__ import annotations

from collections.abc import Collection

from chapeta.chat import rows
from chapeta.storage import values
from chapeta.storage.database import Database
from chapeta.storage.tables import attachments


def send_in_parts(database: Database, attachment_ids: Collection[str]) -> int:
    """Changes how much of these documents is sent. Returns how many were changed; images and unknown ids are not. Blocks."""
    changed = 0
    with database.write() as connection:
        for some in rows.portions([values.text(one) for one in attachment_ids]):
            whole = attachments.update().where(attachments.c.id.in_(some), attachments.c.mode == "whole")
            changed += connection.execute(whole.values(mode="relevant")).rowcount
    return changed
