"""While a long answer streams: how long the page stands still, and what a token costs at the beginning and at the end."""

from __future__ import annotations

import time
from statistics import mean

from driving import App, Bench, Window
from figures import Figure, per_part

TOKENS, PER_S = 20_000, 200
FREEZE_MS = 100.0
PART = 2_000  # tokens between two measured points
GROWTH = 1.3  # the last fifth of an answer against the second fifth; the first holds what happens once
LOOK_S = 0.5
MOST_S = 120.0  # longer than a stream should take: something is broken
ANSWERED = "article[aria-label=Answer] .turn-foot"


def measure(bench: Bench) -> list[Figure]:
    database = bench.database()
    with App(bench.home("stream"), bench.port, database) as app:
        slow = [stream(bench, app, TOKENS, PER_S)]
        fast = [stream(bench, app, TOKENS, 0) for _ in range(bench.runs)]
        longer = [stream(bench, app, 4 * TOKENS, 0) for _ in range(max(1, bench.runs // 2))]
    return [*_paced(f"{TOKENS:,} tokens at {PER_S} a second: ", slow), *_unpaced(fast, longer)]


def _paced(what: str, runs: list[Streamed]) -> list[Figure]:
    return [
        Figure(f"{what}longest freeze", "ms", tuple(run.freeze for run in runs), FREEZE_MS),
        Figure(f"{what}processor time of the page's longest task", "ms", tuple(run.task for run in runs), FREEZE_MS),
        Figure(f"{what}the app's processor time for 1,000 tokens", "ms", tuple(mean(run.app) for run in runs)),
        Figure(f"{what}… its last fifth against its second", "×", tuple(_growth(run.app) for run in runs), GROWTH),
        Figure(f"{what}the page's processor time for 1,000 tokens", "ms", tuple(mean(run.page) for run in runs)),
        Figure(f"{what}… its last fifth against its second", "×", tuple(_growth(run.page) for run in runs), GROWTH),
    ]


def _unpaced(fast: list[Streamed], longer: list[Streamed]) -> list[Figure]:
    what = f"{TOKENS:,} tokens at once: "
    pairs = list(zip(fast, longer, strict=False))
    return [
        Figure(f"{what}longest freeze", "ms", tuple(run.freeze for run in fast), FREEZE_MS),
        Figure(f"{what}processor time of the page's longest task", "ms", tuple(run.task for run in fast), FREEZE_MS),
        Figure(f"{what}until all is seen", "ms", tuple(run.took for run in fast)),
        Figure(f"{what}the app's processor time for 1,000 tokens", "ms", tuple(run.app_all for run in fast)),
        Figure(f"{what}… against four times as many", "×", tuple(b.app_all / a.app_all for a, b in pairs), GROWTH),
        Figure(f"{what}the page's processor time for 1,000 tokens", "ms", tuple(run.page_all for run in fast)),
        Figure(f"{what}… against four times as many", "×", tuple(b.page_all / a.page_all for a, b in pairs), GROWTH),
    ]


class Streamed:
    """One answer. freeze: the longest time between two frames, ms; task: processor time in ms of the page's longest task,
    which other work on the machine hardly lengthens; took: ms until the answer was complete.

    app, page: processor time in ms for 1,000 tokens, for each 2,000 of them; app_all, page_all: the same over all.
    """

    def __init__(
        self, tokens: int, freeze: float, task: float, took: float, costs: list[tuple[int, float, float]]
    ) -> None:
        self.freeze, self.task, self.took = freeze, task, took
        per_1000 = PART / 1000
        self.app = [one / per_1000 for one in per_part([(sent, app) for sent, app, _ in costs], PART)]
        self.page = [one / per_1000 for one in per_part([(sent, page) for sent, _, page in costs], PART)]
        self.app_all = (costs[-1][1] - costs[0][1]) * 1000 / tokens
        self.page_all = (costs[-1][2] - costs[0][2]) * 1000 / tokens


def stream(bench: Bench, app: App, tokens: int, per_s: int) -> Streamed:
    """A question in a new chat, and its answer until the page shows all of it."""
    context = bench.context()
    window = Window(context)
    window.it.goto(f"{app.url}/?model=mine/{tokens}-{per_s}")
    window.it.wait_for_function("window.seen.tell().usable", polling=50)
    window.it.fill(".composer textarea", "Tell me a lot.")
    bench.provider.forget()
    costs = [(0, app.cpu_s() * 1000, window.cpu_ms())]
    with window.working() as tasks:
        window.watch_anew()
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
    return Streamed(tokens, freeze, max(task.cpu_ms for task in tasks), took, costs)


def _growth(parts: list[float]) -> float:
    """The last fifth of a stream against its second one."""
    fifth = max(1, len(parts) // 5)
    return mean(parts[-fifth:]) / mean(parts[fifth : 2 * fifth]) if len(parts) >= 3 * fifth else 1.0
