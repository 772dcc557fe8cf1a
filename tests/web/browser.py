"""A real browser for tests: Debian's Chromium, headless, driven by Playwright.

Playwright's wheel brings its driver, so that `pip install playwright` and the Chromium that is there are all it takes;
Selenium needs a chromedriver of exactly the browser's version besides, has no say over the network, and waits by polling.

    def test_it(page: Page, serve: Serve) -> None:
        page.it.goto(serve(Path(__file__).with_name("some_pages.py")) + "/")

What the page writes to its console as an error, or throws, fails the test, as does any request that leaves this machine
(unless the test has taken it from `page.leaving`, which lists such requests; they are never let through: by a proxy that
does not exist, as Playwright's routes would switch the browser's cache off, and then each test would load everything anew).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, expect, sync_playwright
from playwright.sync_api import Page as PlaywrightPage

CHROMIUM = os.environ.get("CHAPETA_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")  # tests run as root in containers
HOSTS = ("127.0.0.1", "localhost")
NOWHERE = ("--proxy-server=http://127.0.0.1:9", f"--proxy-bypass-list=<-loopback>;{';'.join(HOSTS)}")
TASKS = ("RunTask", "ThreadControllerImpl::RunTask")
SHOTS = os.environ.get("CHAPETA_TEST_SHOTS", "")

Serve = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a page's main thread: nothing else happens on the page meanwhile. Time of the processor, not of a clock,
    so that what else the machine does is not counted.
    """

    at_s: float
    cpu_ms: float


class Page:
    """Playwright's page (`page.it`) with what tests of ours need around it."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.errors: list[str] = []
        self.leaving: list[str] = []
        self.sites: set[str] = set()
        context.on("request", self._asked)
        context.on("page", self._watch)
        self.it: PlaywrightPage = context.new_page()

    def close(self) -> None:
        """Closes all windows, and takes away what their sites have kept; what the browser has loaded stays in its cache."""
        last = self.context.new_page()  # a session is a page's
        for page in self.context.pages:
            if page != last:
                page.close()
        session = self.context.new_cdp_session(last)
        for site in self.sites:
            session.send("Storage.clearDataForOrigin", {"origin": site, "storageTypes": "all"})
        self.context.clear_cookies()
        last.close()
        self.context.remove_listener("request", self._asked)
        self.context.remove_listener("page", self._watch)

    def shot(self, name: str) -> Path | None:
        """A picture of what is seen, in the folder that CHAPETA_TEST_SHOTS names; nothing without it."""
        if not SHOTS:
            return None
        path = Path(SHOTS) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.it.screenshot(path=path)
        return path

    def dark(self, on: bool = True) -> None:
        """What the system prefers."""
        self.it.emulate_media(color_scheme="dark" if on else "light")

    @contextlib.contextmanager
    def working(self) -> Iterator[list[Task]]:
        """Fills the list with what the page's main thread did meanwhile, in order of time."""
        browser = self.context.browser
        assert browser is not None
        tasks: list[Task] = []
        browser.start_tracing(page=self.it, categories=["toplevel"])
        try:
            yield tasks
        finally:
            events = json.loads(browser.stop_tracing())["traceEvents"]
            mains = {(one["pid"], one["tid"]) for one in events if one["args"].get("name") == "CrRendererMain"}
            for one in sorted(events, key=lambda one: one.get("ts", 0)):
                if one["name"] in TASKS and (one["pid"], one["tid"]) in mains and one.get("tdur"):
                    tasks.append(Task(one["ts"] / 1e6, one["tdur"] / 1e3))

    def _watch(self, page: PlaywrightPage) -> None:
        page.on("console", self._said)
        page.on("websocket", lambda socket: self._noted(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        self._noted(request.url)

    def _noted(self, url: str) -> None:
        place = urlsplit(url)
        if place.scheme not in ("http", "https", "ws", "wss"):
            return
        if place.hostname not in HOSTS:
            self.leaving.append(url)
        elif place.scheme.startswith("http"):
            self.sites.add(f"{place.scheme}://{place.netloc}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file; Playwright's event loop runs as long, and other files want one of their own."""
    if not CHROMIUM:
        pytest.fail("No Chromium. Install it (`apt-get install chromium`), or name it in CHAPETA_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *NOWHERE])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def window(chromium: Browser) -> Iterator[BrowserContext]:
    """One for the tests of a file, so that what the app's pages need is loaded once."""
    with _new_window(chromium) as context:
        yield context


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty window of 1280 by 800 with no cookies and nothing kept. A test that measures has its own cache, too."""
    with contextlib.ExitStack() as stack:
        if request.node.get_closest_marker("alone"):
            context = stack.enter_context(_new_window(chromium))
        else:
            context = request.getfixturevalue("window")
        opened = Page(context)
        stack.callback(opened.close)
        yield opened
    assert opened.errors == []
    assert opened.leaving == []


@contextlib.contextmanager
def _new_window(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(60_000)  # other tests share the cores
    expect.set_options(timeout=60_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Runs a script with pages (see `run_pages`) in a process of its own and gives its address; ended with the module."""
    running: list[subprocess.Popen[str]] = []

    def start(script: Path, *words: str) -> str:
        process = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), f"{script} ended with {process.wait()}"
        return url

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def run_pages() -> None:
    """Serves the NiceGUI pages that a script has made, as the app does, and prints their address. Does not return."""
    import uvicorn
    from fastapi import FastAPI
    from nicegui import ui

    application = FastAPI()
    ui.run_with(
        application, title="Test", dark=None, tailwind=False, show_welcome_message=False, reconnect_timeout=10.0
    )
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    listening.listen()
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1))
    server.run(sockets=[listening])
