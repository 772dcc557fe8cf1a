"""From a question to answers that are coming, without a browser: real database, real HTTP to a provider that stands in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chapeta.chat.live import Live
from chapeta.chat.store import Chats
from chapeta.chat.types import Attachment, SkillBy, Turn
from chapeta.errors import BadInput, Missing
from chapeta.gateway import catalog
from chapeta.gateway.core import Core
from chapeta.gateway.ledger import Ledger
from chapeta.skills import library, settings
from chapeta.skills import store as skills
from chapeta.storage.database import open_database
from chapeta.web import choices
from chapeta.web.services import Services
from chapeta.web.talk import send, sides, sides_ask, speaks
from chapeta.web.talk.send import With
from serving import point
from standin.server import Standin

MINI, LARGE = "mine/openai/gpt-4.1-mini", "mine/qwen/qwen3-max"
BY: tuple[SkillBy, ...] = ("hand", "always")
POEMS = "---\nname: poems\ndescription: Writes poems.\n---\n\nRhyme.\n"
NO_PICTURE = Attachment("", "", "a.png", "image/png", 3, "image", None, "", b"<svg/>")


@pytest.fixture
def standin(empty_home: Path) -> Iterator[Standin]:
    with Standin(None, "openai") as provider:
        point(empty_home, "mine", provider.url, needs_key=False, usd_per_mtok_input=2.0, usd_per_mtok_output=8.0)
        provider.say("Yes.")
        yield provider


def run(act: Callable[[Services], Awaitable[Any]]) -> Any:
    """Runs an act with what pages work with, and waits for the answers that it began."""

    async def acted() -> Any:
        with open_database() as database:
            warnings: list[str] = []
            ledger = Ledger(warn=warnings.append)
            core, chats = Core(ledger), Chats(database)
            services = Services(database, ledger, core, chats, Live(core, chats), catalog.catalog(), ledger.close)
            try:
                done = await act(services)
            finally:
                await services.close()
            assert warnings == []
            return done

    return asyncio.run(acted())


async def came(services: Services, turn: Turn) -> Turn:
    """The turn once its answer is complete."""
    running = services.live.of(turn.id)
    if running is not None:
        await running.done.wait()
    return services.chats.turn(turn.id)


def test_what_cannot_be_sent_leaves_nothing_behind(standin: Standin) -> None:
    async def act(services: Services) -> None:
        chats = services.chats
        with pytest.raises(BadInput):
            await send.ask(services, None, "See?", With(MINI), [NO_PICTURE])
        with pytest.raises(Missing):
            await send.ask(services, None, "Hello", With(MINI, "gone"))
        assert chats.page() == []
        chat = chats.create()
        question = chats.add(chat.id, None, "user", "See?", attachments=[NO_PICTURE])
        answer = chats.add(chat.id, question.id, "assistant", "What?")
        with pytest.raises(BadInput):
            await send.answer_again(services, chats.get(chat.id), answer, With(MINI))
        assert chats.siblings([answer.id]) == {answer.id: [answer.id]}

    run(act)
    assert not standin.chats


def test_the_same_request_goes_to_another_model(standin: Standin) -> None:
    async def act(services: Services) -> None:
        _, first = await send.ask(services, None, "Are you?", With(MINI))
        await came(services, first)
        _, second = await send.send_on(services, first, LARGE)
        assert (await came(services, second)).text == "Yes."
        assert services.chats.siblings([first.id])[first.id] == [first.id, second.id]
        one, other = (services.chats.request(turn.id) for turn in (first, second))
        assert one is not None and other == {**one, "model": LARGE}
        imported = services.chats.add(first.chat_id, first.parent_id, "assistant", "Brought in.")
        with pytest.raises(BadInput):
            await send.send_on(services, imported, LARGE)

    run(act)
    assert [request.json["messages"] for request in standin.chats if request.json] == [
        [{"role": "user", "content": "Are you?"}]
    ] * 2


def test_one_question_to_several_of_which_one_cannot_be_asked(standin: Standin) -> None:
    async def act(services: Services) -> None:
        asked = await send.ask_beside(services, "Are you?", [With(MINI), With(MINI, "gone"), With(LARGE)])
        path = services.chats.siblings([services.chats.get(asked.chat.id).tip_id or ""])
        [beside] = path.values()
        answers = [await came(services, services.chats.turn(turn_id)) for turn_id in beside]
        assert [(turn.model, turn.status) for turn in answers] == [(MINI, "done"), (MINI, "failed"), (LARGE, "done")]
        assert answers[1].error and answers[1].error["message"] == "There is no skill 'gone'."

    run(act)


def test_a_model_chooses_a_skill_and_what_that_cost_counts(standin: Standin) -> None:
    skills.save("poems", POEMS)
    settings.write("poems", "model")
    standin.say(lambda body: '{"label": "poems"}' if "response_format" in body else "Rose.")

    async def act(services: Services) -> None:
        _, turn = await send.ask(services, None, "A poem, please.", With(MINI))
        turn = await came(services, turn)
        assert (turn.skill, turn.skill_by) == ("poems", "model")
        _, alone = await send.ask(services, None, "A poem, please.", With(MINI, "poems"))
        alone = await came(services, alone)
        assert turn.tokens_in == alone.tokens_in
        assert turn.usd is not None and alone.usd is not None and turn.usd > 2 * alone.usd  # choosing took more words

    run(act)
    choosing, answering, _ = (request.json for request in standin.chats)
    assert choosing is not None and "poems" in choosing["messages"][0]["content"]
    assert answering is not None and answering["messages"][0] == {"role": "system", "content": "Rhyme."}


@pytest.mark.parametrize("said", ["no such skill", '{"label": "NONE"}', ""])
def test_no_skill_speaks_where_the_model_names_none(standin: Standin, said: str) -> None:
    skills.save("poems", POEMS)
    standin.say(said)

    async def act(services: Services) -> speaks.Picked:
        return await speaks.chosen_by_model(services.core, MINI, "A poem, please.")

    assert run(act).name == ""


def test_choosing_that_fails_chooses_nothing(standin: Standin) -> None:
    skills.save("poems", POEMS)
    standin.next_fault("400")

    async def act(services: Services) -> None:
        assert await speaks.chosen_by_model(services.core, MINI, "A poem, please.") == speaks.Picked()
        assert await speaks.chosen_by_model(services.core, "nobody/knows", "A poem") == speaks.Picked()

    run(act)


def test_a_chat_keeps_the_version_of_a_skill_until_it_is_picked_anew(empty_home: Path) -> None:
    skills.save("poems", POEMS)
    old = library.find("poems")
    library.noted(old)
    path = [Turn("a", "c", None, "assistant", "", "done", 0.0, skill="poems", skill_version=old.version)]
    skills.save("poems", POEMS.replace("Rhyme.", "Rhyme well."))
    kept, new = speaks.spoken("poems", path), speaks.spoken("poems", path, newest=True)
    assert (kept.text, kept.version) == ("Rhyme.", old.version)
    assert new.text == "Rhyme well." and new.version != old.version
    lost = [Turn("a", "c", None, "assistant", "", "done", 0.0, skill="poems", skill_version="0123456789abcdef")]
    assert speaks.spoken("poems", lost).text == "Rhyme well."


def test_a_price_is_known_or_it_is_not(empty_home: Path) -> None:
    point(empty_home, "mine", "http://127.0.0.1:1/v1", needs_key=False)
    point(empty_home, "paid", "http://127.0.0.1:1/v1", usd_per_mtok_input=2.0, usd_per_mtok_output=8.0)
    assert choices.price_of("mine/some-model") is None
    paid = choices.price_of("paid/some-model")
    assert paid is not None and paid.input == 2.0
    local = choices.price_of("smollm2-135m")
    assert local is not None and local.input == 0


def test_columns_are_taken_from_an_address_and_filled_up() -> None:
    assert sides_ask.columns_from([], "m") == [With("m"), With("m")]
    assert sides_ask.columns_from([("model", "a"), ("skill", "s")], "m") == [With("a", "s"), With("m")]
    assert len(sides_ask.columns_from([("model", str(n)) for n in range(9)], "m")) == 4
    turns = tuple(
        Turn("t", "c", "q", "assistant", "", "done", 0.0, model=f"p/{n}", skill="s, always", skill_by=by)
        for n, by in enumerate(BY)
    )
    assert sides_ask.address_of(turns) == "/compare?model=p%2F0&skill=s&model=p%2F1&skill="


def test_figures_that_nobody_says_are_unknown() -> None:
    turn = Turn("t", "c", "q", "assistant", "Yes.", "done", 0.0)
    assert dict(sides.figures(turn)) == {
        "Cost": "unknown", "Time": "unknown", "First token": "unknown", "Tokens": "? in, ? out",
    }  # fmt: skip
