"""What was said before an answer, as an example or a preference pair holds it. Blocks."""

from __future__ import annotations

from dataclasses import replace

from chapeta.chat.export import messages
from chapeta.chat.imports.tree import Tree
from chapeta.chat.store import Chats
from chapeta.chat.types import Turn
from chapeta.types import Message

WHOLE_PATH = 100_000


def before(chats: Chats, answer: Turn) -> tuple[Message, ...]:
    """The conversation up to the question, as an export writes it: documents before their questions, no failed answers.

    The skill is not in it: what is learned from the example is to answer so without.
    """
    path = chats.branch(answer.id, limit=WHOLE_PATH)
    files = chats.attachments([turn.id for turn in path[:-1]])
    stands = replace(answer, text=answer.text.strip() or "…", status="done")  # a failed one can be corrected, too
    chat = replace(chats.get(answer.chat_id), tip_id=answer.id)
    said = messages(Tree(chat, (*path[:-1], stands), tuple(file for own in files.values() for file in own)))
    return tuple(Message(one["role"], one["content"]) for one in said[:-1])


def others(chats: Chats, answer: Turn) -> list[Turn]:
    """The other answers to the same question that say something else: what this one can be preferred to."""
    beside = chats.siblings([answer.id]).get(answer.id, [])
    found = [chats.turn(turn_id) for turn_id in beside if turn_id != answer.id]
    return [
        turn
        for turn in found
        if turn.role == "assistant" and turn.status not in ("failed", "streaming")
        and turn.text.strip() and turn.text.strip() != answer.text.strip()
    ]  # fmt: skip
