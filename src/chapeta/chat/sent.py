"""The requests as they were sent, for the X-ray. Each holds the chat so far, so their messages are kept once a chat."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, select

from chapeta.chat import rows
from chapeta.chat.types import Turn
from chapeta.storage import values
from chapeta.storage.tables import contents, requests
from chapeta.types import Json

LEAST_BYTES = 100  # a shorter message stays where it is
KEPT, PARTS = "kept", "messages"


def save(connection: Connection, turn: Turn, body: Json) -> None:
    """Keeps a request, in place of the one that was kept for this turn."""
    messages = body.get(PARTS)
    places: list[Any] = []
    if isinstance(messages, list):
        for message in messages:
            data = json.dumps(message).encode()
            long = len(data) >= LEAST_BYTES
            places.append(rows.keep_content(connection, turn.chat_id, data) if long else [message])
    rest = {name: value for name, value in body.items() if name != PARTS} if places else body
    text = json.dumps({"body": rest, KEPT: places, "order": list(body)})
    connection.execute(requests.delete().where(requests.c.turn_id == turn.id))
    connection.execute(requests.insert(), {"turn_id": turn.id, "chat_id": turn.chat_id, "body": text})


def load(connection: Connection, turn_id: str) -> Json | None:
    """A request as it was; None where there is none, or a part of it is gone."""
    found = select(requests.c.chat_id, requests.c.body).where(requests.c.turn_id == values.text(turn_id))
    row = connection.execute(found).one_or_none()
    if row is None:
        return None
    try:
        given = json.loads(row.body)
        if not given[KEPT]:
            return dict(given["body"])
        whole = {**given["body"], PARTS: _messages(connection, row.chat_id, given[KEPT])}
        return {name: whole[name] for name in given["order"]}
    except (ValueError, KeyError, TypeError, RecursionError):  # from a restored backup, which may hold anything
        return None


def _messages(connection: Connection, chat_id: str, places: list[Any]) -> list[Any]:
    ids = list(dict.fromkeys(place for place in places if isinstance(place, str)))
    known: dict[str, Any] = {}
    for some in rows.portions(ids):
        found = select(contents.c.id, contents.c.data).where(contents.c.chat_id == chat_id, contents.c.id.in_(some))
        known |= {row.id: json.loads(bytes(row.data)) for row in connection.execute(found)}
    return [known[place] if isinstance(place, str) else place[0] for place in places]
