"""Ways through the tree of a chat: up to the root, beside, and down to the newest leaf. The database walks them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, literal, select

from chapeta.chat import rows
from chapeta.chat.types import Turn
from chapeta.errors import Missing
from chapeta.storage import values
from chapeta.storage.tables import turns


def turn(connection: Connection, turn_id: str) -> Turn:
    """A turn. Raises Missing."""
    row = connection.execute(select(*rows.TURN).where(turns.c.id == values.text(turn_id))).one_or_none()
    if row is None:
        raise no_turn(turn_id)
    return rows.turn_of(row)


def no_turn(turn_id: str) -> Missing:
    return Missing(f"There is no message '{rows.line(turn_id, 60)}' in this chat (any more).", "Open the chat again.")


def up(connection: Connection, end_id: str, limit: int) -> list[Turn]:
    """The last turns of the path from the root to `end_id`, in its order. Work and memory are those of `limit` turns."""
    columns = (turns.c.id, turns.c.parent_id, turns.c.number)
    place = select(*columns, literal(1).label("place")).where(turns.c.id == values.text(end_id)).cte(recursive=True)
    above = select(*columns, place.c.place + 1).join(
        place, and_(turns.c.id == place.c.parent_id, turns.c.number < place.c.number)
    )
    place = place.union_all(above.where(place.c.place < limit))
    found = select(*rows.TURN).join(place, turns.c.id == place.c.id).order_by(turns.c.number)
    return [rows.turn_of(row) for row in connection.execute(found)]


def newest_within(found: Sequence[Turn], characters: int) -> list[Turn]:
    """The last of these turns, as many as have no more characters in all; two at least, a question and its answer."""
    left = characters
    for count, one in enumerate(reversed(found)):
        left -= len(one.text)
        if left < 0:
            return list(found[-max(2, count) :])
    return list(found)


def siblings(connection: Connection, turn_ids: Sequence[str]) -> dict[str, list[str]]:
    """The turns with the same parent, in the order in which they came, for each turn that there is."""
    beside = turns.alias()
    same = and_(beside.c.chat_id == turns.c.chat_id, beside.c.parent_id == turns.c.parent_id)
    found: dict[str, list[str]] = {}
    for some in rows.portions(turn_ids):
        pairs = select(turns.c.id, beside.c.id).join(beside, same).where(turns.c.id.in_(map(values.text, some)))
        for turn_id, sibling_id in connection.execute(pairs.order_by(beside.c.number)):
            found.setdefault(turn_id, []).append(sibling_id)
    return found


def newest_below(connection: Connection, turn_id: str) -> str:
    """The last that was added of a turn and all below it, which is a leaf."""
    columns = (turns.c.id, turns.c.chat_id, turns.c.number)
    below = select(*columns).where(turns.c.id == values.text(turn_id)).cte(recursive=True)
    child = and_(turns.c.chat_id == below.c.chat_id, turns.c.parent_id == below.c.id, turns.c.number > below.c.number)
    below = below.union_all(select(*columns).join(below, child))
    found = connection.execute(select(below.c.id).order_by(below.c.number.desc()).limit(1)).scalar()
    if found is None:
        raise no_turn(turn_id)
    return str(found)
