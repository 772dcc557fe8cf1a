"""An app whose database is full, for the parts that need one. The SQLite file is made once and kept."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from driving import App, Bench, Window
from made import fill
from playwright.sync_api import BrowserContext

from chapeta.storage.database import open_database


@contextlib.contextmanager
def full_app(bench: Bench, name: str) -> Iterator[tuple[App, BrowserContext]]:
    """The app with all the chats, and a browser that has been on its first page."""
    home = bench.home(name)
    if not bench.cluster:
        shutil.copy(_kept(bench), home / "chapeta.sqlite")
    with App(home, bench.port, full_database(bench)) as app:
        context = bench.context()
        window = Window(context)
        window.it.goto(app.url)
        window.it.wait_for_function("window.seen.tell().usable", polling=50)
        window.it.goto("about:blank")
        window.close()
        yield app, context
        context.close()


def full_database(bench: Bench) -> str:
    """The address of the full PostgreSQL database, the same every time; "" for SQLite."""
    if bench.cluster and not bench.full:
        bench.full = bench.cluster.new_database()
        _fill(bench, bench.full)
    return bench.full


def _kept(bench: Bench) -> Path:
    path = bench.work / f"filled-{bench.chats}-{bench.turns}-{bench.runs}.sqlite"
    if not path.exists():
        bench.work.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".making")
        making.unlink(missing_ok=True)
        _fill(bench, f"sqlite:///{making}")
        making.rename(path)
    return path


def _fill(bench: Bench, url: str) -> None:
    with open_database(url) as database:
        fill(database, bench.chats, bench.turns, bench.runs)
