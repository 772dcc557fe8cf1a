"""Every page with NiceGUI's own test user, which needs no browser: on an empty data directory and a used one, on SQLite and
on PostgreSQL. What browsers make of the pages is tested in `test_app_*.py` beside this.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from nicegui import Client, core, ui
from nicegui.functions.download import download
from nicegui.functions.navigate import Navigate
from nicegui.functions.notify import notify
from nicegui.testing import User
from nicegui.testing.general import nicegui_reset_globals

from chapeta.examples import datasets
from chapeta.skills import store as skills
from chapeta.storage.database import open_database
from chapeta.types import Message
from chapeta.web import server
from chapeta.web.pages import PAGES
from chapeta.web.services import Services

LISTED = [page for page in PAGES if "{" not in page.path]
Visit = Callable[[User, Services], Awaitable[None]]


@pytest.fixture
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """NiceGUI logs what a page or a handler throws, and goes on."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@contextlib.asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[tuple[User, Services]]:
    """The app's pages as `server.pages` puts them together, and somebody who visits them."""
    with nicegui_reset_globals(), open_database(database_url) as database:
        warnings: list[str] = []
        _, services = server.pages(database, warnings.append)
        try:
            async with (
                core.app.router.lifespan_context(core.app),
                httpx.AsyncClient(transport=httpx.ASGITransport(core.app), base_url="http://127.0.0.1") as client,
            ):
                yield User(client), services
                await services.close()
        finally:
            Client.page_routes.clear()  # else NiceGUI takes our modules out of Python's table of modules
            ui.navigate, ui.notify, ui.download = Navigate(), notify, download
        assert warnings == []


def visit(database_url: str, visitor: Visit) -> None:
    async def visited() -> None:
        async with opened(database_url) as (user, services):
            await visitor(user, services)

    asyncio.run(visited())


def use(services: Services) -> str:
    """Leaves traces of everything that pages list. Returns a chat's id."""
    chat = services.chats.create(title="Where is my parcel?", model="mine/gpt", folder="Work")
    question = services.chats.add(chat.id, None, "user", "Where is my **parcel**?")
    services.chats.add(chat.id, question.id, "assistant", "In the `post`.", model="mine/gpt")
    datasets.append("parcels", (Message("user", "Where is my parcel?"),), "delivery", "chat/1/2")
    skills.save("post", "---\nname: post\ndescription: Answers about parcels.\n---\nBe brief.\n")
    return chat.id


def test_every_page_of_an_empty_app_can_be_opened(database_url: str, no_errors: None) -> None:
    async def look(user: User, services: Services) -> None:
        for page in LISTED:
            await user.open(page.path)
            await user.should_see("Help")  # the side
            await seen(user, page.path)

    visit(database_url, look)


def test_every_page_shows_what_there_is(database_url: str, no_errors: None) -> None:
    async def look(user: User, services: Services) -> None:
        chat_id = await asyncio.to_thread(use, services)
        for path, shown in (
            (f"/chat/{chat_id}", "Where is my **parcel**?"), ("/examples", "parcels"), ("/examples/parcels", "delivery"),
            ("/specialise", "Specialise"), ("/skills", "post"), ("/skills/post", "Be brief."), ("/usage", "Usage"),
            ("/help", "Help"),
        ):  # fmt: skip
            await user.open(path)
            await user.should_see(shown, retries=100)

    visit(database_url, look)


def test_what_is_not_there_is_said_on_the_page(database_url: str, no_errors: None) -> None:
    async def look(user: User, services: Services) -> None:
        for path, said in (
            ("/chat/nothing", "There is no chat"), ("/examples/nothing", "There is no dataset"),
            ("/specialise/77", "There is no job"), ("/skills/nothing", "There is no skill"),
        ):  # fmt: skip
            await user.open(path)
            await user.should_see(said, retries=100)

    visit(database_url, look)


def test_every_page_of_the_table_is_there_to_load() -> None:
    for page in PAGES:
        assert callable(importlib.import_module(f"chapeta.web.pages.{page.module}").show)
    assert len({page.path for page in PAGES}) == len(PAGES)


def test_a_finished_chat_on_disk_outlives_the_app(database_url: str, empty_home: Path, no_errors: None) -> None:
    chats: list[str] = []

    async def begin(user: User, services: Services) -> None:
        chats.append(await asyncio.to_thread(use, services))

    async def come_back(user: User, services: Services) -> None:
        await user.open("/")
        await user.should_see("Where is my parcel?", retries=100)
        await user.open(f"/chat/{chats[0]}")
        await user.should_see("Where is my **parcel**?", retries=100)

    visit(database_url, begin)
    visit(database_url, come_back)
    assert (empty_home / "datasets" / "parcels.jsonl").exists()


async def seen(user: User, path: str) -> None:
    """Each page says what it is for, also when there is nothing yet."""
    await user.should_see("What are you working on?" if path == "/" else kind_of_title(path), retries=100)


def kind_of_title(path: str) -> str:
    return next(page.title for page in PAGES if page.path == path)
