"""Answers beside each other, what was said before them, and what providers counted, from a real database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chapeta.chat.beside import beside, go_on
from chapeta.chat.learned import before, others
from chapeta.chat.reported import learnt
from chapeta.chat.store import Chats
from chapeta.chat.tokens import Estimate, of_body
from chapeta.chat.types import Attachment
from chapeta.errors import BadInput, Missing
from chapeta.storage.database import Database, open_database
from chapeta.types import Message

REPORT = Attachment("", "", "report.md", "text/markdown", 6, "whole", 2, "All is well.")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as database:
        yield database


@pytest.fixture
def chats(database: Database) -> Chats:
    return Chats(database)


def test_answers_to_a_question_in_their_order(database: Database, chats: Chats) -> None:
    chat = chats.create()
    question = chats.add(chat.id, None, "user", "Which?")
    answers = [chats.add(chat.id, question.id, "assistant", text, model=text) for text in ("a", "b", "c")]
    chats.add(chat.id, answers[1].id, "user", "Why?")
    found = beside(database, question.id)
    assert (found.chat.id, found.question) == (chat.id, question)
    assert found.answers == tuple(answers)


def test_there_is_nothing_beside_what_is_gone_or_no_question(database: Database, chats: Chats) -> None:
    chat = chats.create()
    question = chats.add(chat.id, None, "user", "Which?")
    answer = chats.add(chat.id, question.id, "assistant", "This one.")
    with pytest.raises(BadInput):
        beside(database, answer.id)
    with pytest.raises(Missing):
        beside(database, "nothing")
    chats.delete(chat.id)
    with pytest.raises(Missing):
        beside(database, question.id)


def test_a_chat_goes_on_with_an_answer_its_model_and_its_skill(chats: Chats) -> None:
    chat = chats.create(model="b")
    question = chats.add(chat.id, None, "user", "Which?")
    first = chats.add(chat.id, question.id, "assistant", "a", model="a", skill="poems, british", skill_by="hand")
    further = chats.add(chat.id, first.id, "user", "Why?")
    other = chats.add(chat.id, question.id, "assistant", "b", model="b", skill="poems", skill_by="model")
    gone_on = go_on(chats, first)
    assert (gone_on.tip_id, gone_on.model, gone_on.skill) == (further.id, "a", "poems")
    assert (go_on(chats, other).tip_id, go_on(chats, other).skill) == (other.id, "")


def test_what_was_said_before_an_answer(chats: Chats) -> None:
    chat = chats.create()
    question = chats.add(chat.id, None, "user", "Is it?", attachments=[REPORT])
    failed = chats.add(chat.id, question.id, "assistant", "no", status="failed")
    again = chats.add(chat.id, failed.id, "user", "Well?")
    answer = chats.add(chat.id, again.id, "assistant", "It is.")
    [said] = before(chats, answer)
    assert said.role == "user" and "All is well." in said.content and said.content.endswith("Is it?\n\nWell?")
    cut = chats.add(chat.id, question.id, "assistant", "", status="cut")
    assert [message.role for message in before(chats, cut)] == ["user"]


def test_what_an_answer_can_be_preferred_to(chats: Chats) -> None:
    chat = chats.create()
    question = chats.add(chat.id, None, "user", "Which?")
    liked = chats.add(chat.id, question.id, "assistant", "this")
    worse = chats.add(chat.id, question.id, "assistant", "that", status="stopped")
    chats.add(chat.id, question.id, "assistant", " this ")
    chats.add(chat.id, question.id, "assistant", "half", status="failed")
    chats.add(chat.id, question.id, "assistant", "")
    assert others(chats, liked) == [worse]
    assert before(chats, liked) == (Message("user", "Which?"),)


def test_the_estimate_learns_from_what_was_reported_of_the_same_model(chats: Chats) -> None:
    chat = chats.create()
    question = chats.add(chat.id, None, "user", "Which?")
    path = [question]
    body = {"model": "m", "messages": [{"role": "user", "content": "word " * 4000}]}
    for model, tokens in (("other", 40_000), ("m", 8000), ("m", None)):
        turn = chats.add(chat.id, path[-1].id, "assistant", "x", model=model)
        chats.save_request(turn.id, body)
        chats.update(turn.id, status="done", tokens_in=tokens)
        path.append(chats.turn(turn.id))
    estimated = of_body(body)
    assert estimated is not None
    assert learnt(chats, path, "m") == Estimate().learn(estimated, 8000)
    assert learnt(chats, path, "m")("word " * 4000) > 1.2 * Estimate()("word " * 4000)
    assert learnt(chats, path, "third") == Estimate()
