"""The way to a turn that a search has found: it may stand far up, or on a branch that the chat does not show. Blocks."""

from __future__ import annotations

from chapeta.chat.store import Chats
from chapeta.chat.types import Chat
from chapeta.errors import Missing

WHOLE_PATH = 100_000


def lead_to(chats: Chats, chat: Chat, turn_id: str) -> tuple[Chat, int] | None:
    """The chat with a branch that holds the turn, and how many turns that has from there on.

    The branch that is shown is kept where it holds the turn. None where the turn is gone, or of another chat.
    """
    try:
        if chats.turn(turn_id).chat_id != chat.id:
            return None
    except Missing:
        return None
    path = _ids(chats, chat)
    if turn_id not in path:
        chat = chats.change(chat.id, tip_id=chats.tip_below(turn_id))
        path = _ids(chats, chat)
    return chat, len(path) - path.index(turn_id)


def _ids(chats: Chats, chat: Chat) -> list[str]:
    return [turn.id for turn in chats.branch(chat.tip_id, limit=WHOLE_PATH)] if chat.tip_id else []
