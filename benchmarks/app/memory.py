"""Memory of the app and of the page while answers stream one after another for a long time."""

from __future__ import annotations

import sys
import time

from driving import App, Bench, Window
from figures import Figure, slope

TOKENS, PER_S = 2_000, 400
FLAT_MB = 5.0  # an hour: what still counts as flat
LONG_H = 0.4  # shorter, a slope says nothing of an hour
SAYING = "article[aria-label=Answer]"
Sample = tuple[float, float, float]  # hours, the app's MB, the page's MB


def measure(bench: Bench) -> list[Figure]:
    """The same question, asked again and again in one page, which is never loaded anew."""
    with App(bench.home("memory"), bench.port, bench.database()) as app:
        samples = _sample(bench, app)
    hours = samples[-1][0]
    apps = [(hour, app_mb) for hour, app_mb, _ in samples]
    pages = [(hour, page_mb) for hour, _, page_mb in samples]
    goal = FLAT_MB if hours > LONG_H else None
    what = f"{len(samples)} answers of {TOKENS:,} tokens in {hours * 60:.0f} minutes: "
    return [
        Figure(f"{what}memory of the app (resident)", "MB", tuple(mb for _, mb in apps)),
        Figure(f"{what}memory of the page (JavaScript)", "MB", tuple(mb for _, mb in pages)),
        Figure("slope of the app's, the first third left out", "MB an hour", (slope(apps),), goal),
        Figure("slope of the page's, the first third left out", "MB an hour", (slope(pages),), goal),
    ]


def _sample(bench: Bench, app: App) -> list[Sample]:
    context = bench.context()
    window = Window(context)
    window.it.goto(f"{app.url}/?model=mine/{TOKENS}-{PER_S}")
    window.it.wait_for_function("window.seen.tell().usable", polling=50)
    window.it.fill(".composer textarea", "Tell me a lot.")
    window.it.press(".composer textarea", "Enter")
    began = time.monotonic()
    samples: list[Sample] = []
    while True:
        window.it.locator(f"{SAYING} .turn-foot").wait_for()
        spent_h = (time.monotonic() - began) / 3600
        samples.append((spent_h, app.rss_mb(), window.heap_mb()))
        print(f"{samples[-1][0] * 60:.1f} min: {samples[-1][1]:.1f} MB, page {samples[-1][2]:.2f} MB", file=sys.stderr)
        if spent_h * 3600 > bench.seconds:
            break
        window.it.get_by_label("Ask again").click()
        window.it.locator(f"{SAYING} .dots").wait_for()
    window.it.goto("about:blank")
    context.close()
    return samples
