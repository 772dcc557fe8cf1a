"""Opening a chat of 1,000 long messages, and reading upwards in it."""

from __future__ import annotations

import time

from driving import App, Bench, Window
from figures import Figure
from filled import full_app
from made import LONG_TURNS
from playwright.sync_api import BrowserContext

FREEZE_MS = 100.0
UPWARDS = 6  # times that earlier messages are asked for
WHEEL_PX = 400


def measure(bench: Bench) -> list[Figure]:
    """Each chat is clicked for the first time, so nothing of it has been rendered before."""
    with full_app(bench, "long") as (app, context):
        clicked = [_click(app, context, f"long{number}") for number in range(bench.runs)]
        opened = [_open(app, context, f"long{number}") for number in range(bench.runs)]
        upwards = [_read_upwards(app, context, f"long{number}") for number in range(min(2, bench.runs))]
    return [
        Figure("from the click beside another chat to its last messages", "ms", tuple(clicked), 1000.0),
        Figure("in a new tab", "ms", tuple(one[0] for one in opened)),
        Figure("processor time of the app for it", "ms", tuple(one[1] for one in opened)),
        Figure("processor time of the new tab", "ms", tuple(one[2] for one in opened)),
        Figure("longest freeze while it is scrolled", "ms", tuple(one["scrolled"] for one in upwards), FREEZE_MS),
        Figure("longest freeze while earlier messages come in", "ms", tuple(one["come"] for one in upwards), FREEZE_MS),
        Figure("from asking for earlier messages to seeing them", "ms", tuple(one["first"] for one in upwards)),
        Figure(f"… the {UPWARDS}th time", "ms", tuple(one["last"] for one in upwards)),
    ]


def _click(app: App, context: BrowserContext, chat: str) -> float:
    """Milliseconds from leaving the app's first page until the end of the chat's last message is seen."""
    window = Window(context)
    window.it.goto(app.url)
    window.it.wait_for_function("window.seen.tell().usable", polling=20)
    window.it.click(f".side-chats a[href='/chat/{chat}']")
    window.it.wait_for_url(f"**/chat/{chat}")
    window.it.wait_for_function("window.seen.tell().lastTurn && window.seen.tell().usable", polling=20)
    seen = window.seen()
    window.close()
    return float(seen["lastTurn"] - seen["origin"])


def _open(app: App, context: BrowserContext, chat: str) -> tuple[float, float, float]:
    """Milliseconds until the end of its last message is seen; the app's and the page's processor time for it."""
    window = Window(context)
    cpu = app.cpu_s()
    window.it.goto(f"{app.url}/chat/{chat}")
    window.it.wait_for_function("window.seen.tell().lastTurn && window.seen.tell().usable", polling=20)
    seen = window.seen()
    took = (seen["lastTurn"] - seen["origin"], (app.cpu_s() - cpu) * 1000, window.cpu_ms())
    window.close()
    return took


def _read_upwards(app: App, context: BrowserContext, chat: str) -> dict[str, float]:
    """Scrolls to the top with the wheel, asks for what was earlier, and so on."""
    window = Window(context)
    window.it.goto(f"{app.url}/chat/{chat}")
    window.it.wait_for_function("window.seen.tell().lastTurn && window.seen.tell().usable", polling=20)
    window.it.mouse.move(640, 300)
    found = {"scrolled": 0.0, "come": 0.0}
    for _ in range(UPWARDS):
        found["scrolled"] = max(found["scrolled"], _scroll_up(window))
        earliest = _earliest(window)
        window.watch_anew()
        began = time.perf_counter()
        _press_earlier(window)
        window.it.wait_for_function(f"{EARLIEST} < {earliest}", polling=20)
        found["last"] = (time.perf_counter() - began) * 1000
        found.setdefault("first", found["last"])
        window.it.wait_for_timeout(500)  # what comes in over several frames
        found["come"] = max(found["come"], window.seen()["longest"])
    assert _earliest(window) <= LONG_TURNS - 30 * UPWARDS
    window.close()
    return found


# the number of the first message on the page, while there is one: some redraw all
EARLIEST = "Number(document.querySelector('article.turn')?.dataset.turn.split('t').pop() ?? Infinity)"


def _earliest(window: Window) -> int:
    return int(window.it.evaluate(EARLIEST))


def _press_earlier(window: Window) -> None:
    """With the mouse. Playwright's own search for a text reads all that is on the page, which would be measured too."""
    box = window.it.evaluate("document.querySelector('.talk-column > .earlier').getBoundingClientRect().toJSON()")
    window.it.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def _scroll_up(window: Window) -> float:
    """To the top; the longest gap between two frames meanwhile."""
    window.watch_anew()
    for _ in range(1000):
        window.it.mouse.wheel(0, -WHEEL_PX)
        window.it.wait_for_timeout(15)
        if window.it.evaluate("document.querySelector('.talk-body').scrollTop") == 0:
            break
    return float(window.seen()["longest"])
