"""From the start of the process to a page in which one can write, and where that time goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from driving import App, Bench, Window
from figures import Figure
from playwright.sync_api import BrowserContext

Start = dict[str, float]


def measure(bench: Bench) -> list[Figure]:
    """With a browser that has been here before (as every day), and with one that has not (the first time)."""
    home, database = bench.home("first"), bench.database()
    warm = bench.context()
    _start(bench, home, database, warm)  # makes database and compiled files; the browser keeps what it loads
    again = [_start(bench, home, database, warm) for _ in range(bench.runs)]
    warm.close()
    new = []
    for _ in range(max(1, bench.runs // 2)):
        cold = bench.context()
        new.append(_start(bench, home, database, cold))
        cold.close()

    def figure(what: str, unit: str, of: Callable[[Start], float], goal: float | None = None) -> Figure:
        return Figure(what, unit, tuple(map(of, again)), goal)

    return [
        figure("from start to a page that can be used", "s", lambda it: it["usable"], 2.0),
        figure("… to its first contents", "s", lambda it: it["painted"]),
        figure("… to the page's first byte", "s", lambda it: it["first_byte"]),
        figure("… to the address being told", "s", lambda it: it["told"]),
        figure("processor time of the app until it tells its address", "s", lambda it: it["cpu_told"]),
        figure("… until the page can be used", "s", lambda it: it["cpu"]),
        figure("processor time of the page until then", "ms", lambda it: it["page_cpu"]),
        figure("bytes loaded", "KB", lambda it: it["kb"]),
        Figure("the same with nothing kept in the browser", "s", tuple(it["usable"] for it in new)),
        Figure("bytes loaded then", "KB", tuple(it["kb"] for it in new)),
    ]


def _start(bench: Bench, home: Path, database: str, context: BrowserContext) -> Start:
    """Seconds since the start of the process."""
    window = Window(context)
    with App(home, bench.port, database) as app:
        told, cpu_told = time.time(), app.cpu_s()
        window.it.goto(app.url)
        window.it.wait_for_function("window.seen.tell().usable && window.seen.tell().painted", polling=20)
        cpu, page_cpu = app.cpu_s(), window.cpu_ms()
        seen = window.seen()
        window.close()
    moments = {"usable": seen["usable"], "painted": seen["painted"], "first_byte": seen["firstByte"]}
    found = {name: moment / 1000 - app.started_s for name, moment in moments.items()}
    return {
        **found,
        "told": told - app.started_s,
        "cpu_told": cpu_told,
        "cpu": cpu,
        "page_cpu": page_cpu,
        "kb": seen["bytes"] / 1000,
    }
