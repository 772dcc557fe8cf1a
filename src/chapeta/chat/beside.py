"""Answers beside each other: those to one question, and how a chat goes on with one of them. Blocks."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from chapeta.chat import path, rows
from chapeta.chat.store import Chats
from chapeta.chat.types import Chat, Turn
from chapeta.errors import BadInput
from chapeta.storage.database import Database
from chapeta.storage.tables import turns


@dataclass(frozen=True, slots=True)
class Beside:
    """A question and its answers, in the order in which they came."""

    chat: Chat
    question: Turn
    answers: tuple[Turn, ...]


def beside(database: Database, question_id: str) -> Beside:
    """All answers to a question. Raises Missing where it, or its chat, is gone, and BadInput for an answer's id."""
    with database.read() as connection:
        question = path.turn(connection, question_id)
        below = select(*rows.TURN).where(turns.c.chat_id == question.chat_id, turns.c.parent_id == question.id)
        found = [rows.turn_of(row) for row in connection.execute(below.order_by(turns.c.number))]
    if question.role != "user":
        raise BadInput("This is an answer, not a question.", "Open its chat, and choose Side by side there.")
    answers = tuple(turn for turn in found if turn.role == "assistant")
    return Beside(Chats(database).get(question.chat_id), question, answers)


def go_on(chats: Chats, answer: Turn) -> Chat:
    """The chat shows the branch of this answer from now on, and who answered it, with its skill, answers next."""
    picked = answer.skill.partition(", ")[0] if answer.skill_by == "hand" else ""
    return chats.change(answer.chat_id, tip_id=chats.tip_below(answer.id), model=answer.model, skill=picked)
