"""While a long answer streams: how long the page stands still, and what a token costs at the beginning and at the end."""

from __future__ import annotations

import time
from statistics import mean

from driving import App, Bench, Window
from figures import Figure, per_part

TOKENS, PER_S, QUICK_PER_S = 20_000, 200, 1_000
FREEZE_MS = 100.0
PART = 2_000  # tokens between two measured points
GROWTH = 1.2  # the last two fifths of an answer against the two before them; the first fifth holds what happens once
LOOK_S = 0.5
MOST_S = 120.0  # longer than a stream should take: something is broken
ANSWERED = "article[aria-label=Answer] .turn-foot"


def measure(bench: Bench) -> list[Figure]:
    """At a provider's pace for the freezes; quicker, with nobody watching the frames, for what a token costs."""
    with App(bench.home("stream"), bench.port, bench.database()) as app:
        stream(bench, app, PART, 0)  # what happens once
        paced = [stream(bench, app, TOKENS, PER_S)]
        quick = [stream(bench, app, TOKENS, QUICK_PER_S, watched=False) for _ in range(max(1, bench.runs // 2))]
        fast = [stream(bench, app, TOKENS, 0) for _ in range(bench.runs)]
        longer = [stream(bench, app, 4 * TOKENS, 0) for _ in range(max(1, bench.runs // 2))]
    return [
        *_stood_still(f"{TOKENS:,} tokens at {PER_S} a second: ", paced),
        *_costs(f"{TOKENS:,} tokens at {QUICK_PER_S:,} a second: ", quick),
        *_stood_still(f"{TOKENS:,} tokens at once: ", fast),
        Figure(f"{TOKENS:,} tokens at once: until all is seen", "ms", tuple(run.took for run in fast)),
        *_stood_still(f"{4 * TOKENS:,} tokens at once: ", longer),
        Figure(f"{4 * TOKENS:,} tokens at once: until all is seen", "ms", tuple(run.took for run in longer)),
    ]


def _stood_still(what: str, runs: list[Streamed]) -> list[Figure]:
    return [
        Figure(f"{what}longest freeze", "ms", tuple(run.freeze for run in runs), FREEZE_MS),
        Figure(f"{what}processor time of the page's longest task", "ms", tuple(run.task for run in runs), FREEZE_MS),
    ]


def _costs(what: str, runs: list[Streamed]) -> list[Figure]:
    return [
        Figure(f"{what}the app's processor time for 1,000 tokens", "ms", tuple(mean(run.app) for run in runs)),
        Figure(
            f"{what}… its last two fifths against the two before", "×", tuple(_growth(run.app) for run in runs), GROWTH
        ),
        Figure(f"{what}the page's processor time for 1,000 tokens", "ms", tuple(mean(run.page) for run in runs)),
        Figure(
            f"{what}… its last two fifths against the two before", "×", tuple(_growth(run.page) for run in runs), GROWTH
        ),
    ]


class Streamed:
    """One answer. freeze: the longest time between two frames, ms; task: processor time in ms of the page's longest task,
    which other work on the machine hardly lengthens; took: ms until the answer was complete.

    app, page: processor time in ms for 1,000 tokens, for each 2,000 of them.
    """

    def __init__(self, freeze: float, task: float, took: float, costs: list[tuple[int, float, float]]) -> None:
        self.freeze, self.task, self.took = freeze, task, took
        per_1000 = PART / 1000
        self.app = [one / per_1000 for one in per_part([(sent, app) for sent, app, _ in costs], PART)]
        self.page = [one / per_1000 for one in per_part([(sent, page) for sent, _, page in costs], PART)]


def stream(bench: Bench, app: App, tokens: int, per_s: int, watched: bool = True) -> Streamed:
    """A question in a new chat, and its answer until the page shows all of it."""
    context = bench.context()
    window = Window(context)
    window.it.goto(f"{app.url}/?model=mine/{tokens}-{per_s}")
    window.it.wait_for_function("window.seen.tell().usable", polling=50)
    window.it.fill(".composer textarea", "Tell me a lot.")
    bench.provider.forget()
    costs = [(0, app.cpu_s() * 1000, window.cpu_ms())]
    with window.working() as tasks:
        (window.watch_anew if watched else window.watch_no_more)()
        began = time.perf_counter()
        window.it.press(".composer textarea", "Enter")
        while not window.it.locator(ANSWERED).count():
            if time.perf_counter() - began > MOST_S + tokens / (per_s or tokens):
                raise RuntimeError(f"no answer of {tokens:,} tokens after {time.perf_counter() - began:.0f} s")
            window.it.wait_for_timeout(LOOK_S * 1000 if per_s else 50)
            costs.append((bench.provider.sent(), app.cpu_s() * 1000, window.cpu_ms()))
        took = (time.perf_counter() - began) * 1000
        freeze = window.seen()["longest"]
    window.it.goto("about:blank")
    context.close()
    return Streamed(freeze, max(task.cpu_ms for task in tasks), took, costs)


def _growth(parts: list[float]) -> float:
    """What a token costs in the last two fifths of a stream, against the two before them."""
    fifth = len(parts) // 5
    return mean(parts[3 * fifth :]) / mean(parts[fifth : 3 * fifth]) if fifth else 1.0
