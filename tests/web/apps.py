"""What the tests of the app share: the app as a process of its own, a provider that stands in, and how one talks to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Page
from playwright.sync_api import expect

from serving import Serving
from standin.server import Standin

QUESTION = ".composer textarea"
SAYING = "article[aria-label=Answer]"


class App(Serving):
    """`chapeta app` as a user starts it; url: where the pages are."""

    def __init__(self, home: Path, **variables: str) -> None:
        super().__init__(home, **variables)
        self._words = ("app", "--no-browser", "--port", "0", "--json")


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(None, "openai") as provider:
        yield provider


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
