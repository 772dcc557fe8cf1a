"""What is measured and what measures it: the app and a provider in processes of their own, and a page of a real browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import psutil
from browser import CHROMIUM, OPTIONS
from browser import Page as Traced
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from postgres import Server, find_programs, free_port, make_cluster, unprivileged_user
from serving import Serving, point

HERE = Path(__file__).resolve().parent
PATIENCE_MS = 120_000
WATCH = (HERE / "watch.js").read_text("utf-8")
FAR = {"width": 1280, "height": 800}


class App(Serving):
    """`chapeta app` as a user starts it, and what it costs. database: an address; "" for SQLite in its data directory."""

    def __init__(self, home: Path, port: int = 0, database: str = "") -> None:
        super().__init__(home, **({"CHAPETA_DATABASE_URL": database} if database else {}))
        self._words = ("app", "--no-browser", "--port", str(port), "--json")
        self.started_s = 0.0  # of the clock, as the browser tells it

    def __enter__(self) -> App:
        self.started_s = time.time()
        super().__enter__()
        self._measured = psutil.Process(self.process.pid)
        return self

    def __exit__(self, *told: Any) -> None:
        super().__exit__(*told)
        if "Traceback" in self.err:
            print(self.err, file=sys.stderr)

    def cpu_s(self) -> float:
        """Of the app's own process since its start."""
        times = self._measured.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        return float(self._measured.memory_info().rss) / 1e6


class Provider:
    """provider.py in a process of its own."""

    def __enter__(self) -> Provider:
        command = [sys.executable, str(HERE / "provider.py")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def sent(self) -> int:
        """Tokens of the newest answer so far."""
        return self._ask("/sent")

    def forget(self) -> None:
        """`sent` is 0 until the next answer begins."""
        self._ask("/forget")

    def _ask(self, path: str) -> int:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return int(json.loads(connection.getresponse().read())["sent"])


class Window:
    """A page and what it has had to do. `it`: Playwright's page."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.it: Page = context.new_page()
        self.it.set_default_timeout(PATIENCE_MS)
        self._devtools = context.new_cdp_session(self.it)
        self._devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def cpu_ms(self) -> float:
        """Processor time of the page's main thread so far."""
        return self._metric("TaskDuration") * 1000

    def heap_mb(self) -> float:
        """JavaScript's memory after collecting what nothing holds."""
        self._devtools.send("HeapProfiler.collectGarbage")
        return self._metric("JSHeapUsedSize") / 1e6

    def nodes(self) -> float:
        return self._metric("Nodes")

    def seen(self) -> Any:
        """What watch.js has noted: moments in ms of the clock, the longest gap between frames, the longest task."""
        return self.it.evaluate("window.seen.tell()")

    working = Traced.working  # what the main thread does inside a `with` block, task by task

    def watch_anew(self) -> None:
        self.it.evaluate("window.seen.begin()")

    def watch_no_more(self) -> None:
        self.it.evaluate("window.seen.rest()")

    def close(self) -> None:
        self._devtools.detach()
        self.it.close()

    def _metric(self, name: str) -> float:
        told = self._devtools.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in told if one["name"] == name)


@dataclass
class Bench:
    """What the parts measure with. settings: what main was told."""

    folder: Path
    browser: Browser
    provider: Provider
    cluster: Server | None
    runs: int
    seconds: float
    chats: int
    turns: int
    work: Path
    full: str = ""  # the address of the full PostgreSQL database, once it is made
    port: int = field(default_factory=free_port)  # the same for all, as the browser keeps files by address

    def home(self, name: str, model: str = "mine/2000-200") -> Path:
        """A data directory that knows the provider."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        point(home, "mine", self.provider.url, needs_key=False)
        (home / "settings.json").write_text(json.dumps({"model": model}))
        return home

    def database(self) -> str:
        """The address of a new, empty database of the kind that is measured; "" for the data directory's own."""
        return self.cluster.new_database() if self.cluster else ""

    def context(self) -> BrowserContext:
        """A browser without anything kept, whose pages watch themselves."""
        context = self.browser.new_context(viewport=FAR)  # type: ignore[arg-type]
        context.add_init_script(WATCH)
        return context


@contextlib.contextmanager
def set_up(postgresql: bool, **settings: Any) -> Iterator[Bench]:
    """Starts browser, provider and, where asked for, a PostgreSQL of its own; ends them all."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chapeta-app-bench-")))
        cluster = stack.enter_context(_cluster()) if postgresql else None
        provider = stack.enter_context(Provider())
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        stack.callback(browser.close)
        yield Bench(folder, browser, provider, cluster, **settings)


@contextlib.contextmanager
def _cluster() -> Iterator[Server]:
    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed (Debian: apt-get install postgresql).")
    with tempfile.TemporaryDirectory(prefix="chapeta-postgres-") as folder:
        server = Server(programs, Path(folder), free_port(), unprivileged_user())
        make_cluster(server)
        server.start()
        try:
            yield server
        finally:
            server.stop()
