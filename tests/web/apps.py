"""What the tests of the app share: the app as a process of its own, a provider that stands in, and how one talks to it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Page
from playwright.sync_api import expect

from chapeta import jobs
from chapeta.chat.remains import purge
from chapeta.storage.database import open_database
from chapeta.storage.tables import chats
from serving import Serving, new_home, point
from standin.server import Standin

MINI = "mine/openai/gpt-4.1-mini"
QUESTION = ".composer textarea"
SAYING = "article[aria-label=Answer]"


class App(Serving):
    """`chapeta app` as a user starts it; url: where the pages are."""

    def __init__(self, home: Path, **variables: str) -> None:
        super().__init__(home, **variables)
        self._words = ("app", "--no-browser", "--port", "0", "--json")


@pytest.fixture(scope="module")
def provider() -> Iterator[Standin]:
    """One for the tests of a file; `standin` is the same with nothing heard yet."""
    with Standin(None, "openai") as running:
        yield running


@pytest.fixture
def standin(provider: Standin) -> Standin:
    provider.forget()
    return provider


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, models_home: Path, embedded_model: Path) -> Iterator[App]:
    """One app for the tests of a file, as a start takes as long as most tests; `blank` is the same without their traces."""
    with App(new_home(tmp_path_factory.mktemp("shared") / "home", models_home)) as app:
        yield app


@pytest.fixture
def blank(running: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app with nothing in its data directory but what a start makes; the test's own process uses the same directory."""
    monkeypatch.setenv("CHAPETA_HOME", str(running.home))
    clear(running.home)
    said = len(running.err)
    yield running
    assert "Traceback" not in running.err[said:]


@pytest.fixture
def shared(blank: App, standin: Standin) -> App:
    """An app that answers with the stand-in's small model, whose price the user has said."""
    point(blank.home, "mine", standin.url, needs_key=False, usd_per_mtok_input=2.0, usd_per_mtok_output=8.0)
    (blank.home / "settings.json").write_text(json.dumps({"model": MINI}))
    return blank


def clear(home: Path) -> None:
    """Takes the traces of former tests away while the app runs, as if what they made had been deleted long ago.

    CHAPETA_HOME names the same folder. Numbers of jobs are not given twice, so their folder stays.
    """
    for job in jobs.jobs():
        jobs.cancel(job.id)
        wait(lambda it=job.id: jobs.job(it).is_over)
        jobs.remove(job.id)
    for path in home.iterdir():
        if path.name in ("models", "pages", "jobs") or path.name.startswith((".app", "chapeta.sqlite")):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with open_database() as database:
        with database.write() as connection:
            connection.execute(chats.update().values(deleted_at=0.0))
        purge(database)


def ask(page: Page, text: str) -> None:
    page.it.fill(QUESTION, text)
    page.it.press(QUESTION, "Enter")


def answered(page: Page, number: int = 1) -> None:
    """Waits until so many answers are complete."""
    expect(page.it.locator(f"{SAYING} .turn-foot")).to_have_count(number, timeout=30_000)


def wait(condition: Callable[[], Any], most_s: float = 20.0) -> Any:
    deadline = time.monotonic() + most_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    return found
