"""With 10,000 chats and 100,000 messages: search in the store and through the page, and the list of chats."""

from __future__ import annotations

import time
from functools import partial

from driving import App, Bench, Window
from figures import Figure
from filled import full_app, full_database
from playwright.sync_api import BrowserContext
from store import COMMON

from chapeta.chat.search import search
from chapeta.chat.store import Chats
from chapeta.storage.database import Database, open_database

SEARCHED = ("ba", f"{COMMON[1]} {COMMON[2]} ", "b", "zu", "banadunu", "ba be bi bo banadu", "xyzzy")
TYPING_MS = 150  # the page waits so long for more to be typed
GOAL_MS = 100.0
HITS = "[role=status] a.term"


def measure(bench: Bench) -> list[Figure]:
    with full_app(bench, "find") as (app, context):
        url = full_database(bench) or f"sqlite:///{bench.folder / 'find' / 'chapeta.sqlite'}"
        with open_database(url) as database:
            found = [_searched(database, words, bench.runs) for words in SEARCHED]
            found.append(_listed(database, bench.runs))
        through = [took for words in ("ba", "be", "zu") for took in _typed(app, context, words, bench.runs)]
        opened = [_opened(app, context) for _ in range(bench.runs)]
    return [
        *found,
        Figure(
            f"search through the page, without the {TYPING_MS} ms that it waits for typing",
            "ms",
            tuple(through),
            GOAL_MS,
        ),
        Figure("a new page with the list beside it", "ms", tuple(opened)),
    ]


def _searched(database: Database, words: str, runs: int) -> Figure:
    hits = len(search(database, words))
    return Figure(
        f"search {words!r} in the store: {hits} hits", "ms", _times(partial(search, database, words), runs), GOAL_MS
    )


def _listed(database: Database, runs: int) -> Figure:
    chats = Chats(database)
    return Figure("the newest 50 chats from the store", "ms", _times(chats.page, runs))


def _times(act: partial[object] | object, runs: int) -> tuple[float, ...]:
    took = []
    for _ in range(runs * 5):
        began = time.perf_counter()
        act()  # type: ignore[operator]
        took.append((time.perf_counter() - began) * 1000)
    return tuple(took)


def _typed(app: App, context: BrowserContext, words: str, runs: int) -> list[float]:
    """From the last key to the hits."""
    window = Window(context)
    window.it.goto(f"{app.url}/search")
    window.it.wait_for_function(
        "window.did_handshake && document.querySelector('[aria-label=\"Search chats\"]')", polling=50
    )
    took = []
    for _ in range(runs):
        window.it.fill("[aria-label='Search chats']", "")
        window.it.wait_for_function(f"!document.querySelector('{HITS}')", polling=20)
        window.it.evaluate(f"({NOTE})('{HITS}')")
        window.it.fill("[aria-label='Search chats']", words)
        window.it.wait_for_function("window.hitsAt", polling=20)
        took.append(float(window.it.evaluate("window.hitsAt - window.typedAt")) - TYPING_MS)
    window.close()
    return took


# notes the moment of the next input, and of the first frame after it in which something stands at the selector
NOTE = """(selector) => {
  window.hitsAt = window.typedAt = 0;
  document.addEventListener("input", () => { window.typedAt = performance.now(); }, { once: true, capture: true });
  const look = () => {
    if (window.typedAt && document.querySelector(selector)) window.hitsAt = performance.now();
    else requestAnimationFrame(look);
  };
  look();
}"""


def _opened(app: App, context: BrowserContext) -> float:
    """From going there until its list is seen."""
    window = Window(context)
    window.it.goto(app.url)
    window.it.wait_for_function("document.querySelectorAll('.side-chats a').length >= 40", polling=20)
    took = float(window.it.evaluate("performance.now()"))
    window.close()
    return took
