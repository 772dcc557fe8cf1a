"""Scores of a skill's versions as a table, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from chapeta.skills.scores import Score
from chapeta.skills.versions import Version
from chapeta.web import words

HEADS = (
    ("Version", ""), ("Score", "num"), ("95 % interval", "num"), ("", "wide-only"), ("Tokens in", "num wide-only"),
    ("USD / 1,000", "num wide-only"),
)  # fmt: skip


def score_table(found: Sequence[Score], known: Sequence[Version]) -> None:
    """Scores that can be compared: a line a version, the newest version first."""
    newest_first: list[tuple[int, Score]] = []
    for score in found:
        number = max((version.number for version in known if version.sha256 == score.sha256), default=0)
        newest_first.append((number, score))
    newest_first.sort(key=lambda pair: -pair[0])
    one = found[0]
    with ui.element("div").classes("card").style("padding: 10px 12px"):
        ui.label(f"{one.dataset} · {one.model} · {one.metric.replace('_', ' ')} on {one.rows:,} rows").classes(
            "small muted"
        )
        with ui.element("table").classes("grid-table"):
            with ui.element("thead"), ui.element("tr"):
                for head, kind in HEADS:
                    with ui.element("th").props("scope=col").classes(kind):
                        ui.label(head)
            with ui.element("tbody"):
                for number, score in newest_first:
                    _row(number, score)
        if one.rows < 100:
            ui.label("Indicative: fewer than 100 rows. Intervals that overlap decide nothing.").classes("small muted")


def _row(number: int, score: Score) -> None:
    cost = "free" if score.usd_per_1000_calls == 0 else words.usd(score.usd_per_1000_calls)
    with ui.element("tr"):
        with ui.element("td").style("white-space: nowrap"):
            ui.label(str(number) if number else "one that is gone")
            if score.errors:
                ui.label(f"{score.errors} not answered").classes("small warn")
        with ui.element("td").classes("num text-weight-medium"):
            ui.label(f"{score.value:.1%}")
        with ui.element("td").classes("num").style("white-space: nowrap"):
            ui.label(f"{score.low:.0%} to {score.high:.0%}")
        with ui.element("td").classes("wide-only").style("min-width: 110px; width: 30%"):
            _bar(score)
        for text in (f"{score.tokens_in:.0f}", cost):
            with ui.element("td").classes("num wide-only"):
                ui.label(text)


def _bar(score: Score) -> None:
    """The interval as a bar from 0 to 100 %, with the score in it."""
    bar = ui.element("div").classes("interval").props('aria-hidden="true"')
    with bar:
        ui.element("span").style(f"left: {score.low:.2%}; width: {max(0.0, score.high - score.low):.2%}")
        ui.element("i").style(f"left: {score.value:.2%}")
