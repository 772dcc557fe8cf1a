"""Usage: what was spent, in days and groups, from the ledger that every call goes through."""

from __future__ import annotations

import time

from nicegui import ui

from chapeta.gateway.ledger.usage import UsageReport, usage
from chapeta.web import words
from chapeta.web.frame import frame, list_chats, title
from chapeta.web.services import Services, thread

SINCE = {1: "Today", 7: "7 days", 30: "30 days", 0: "All time"}
GROUPS = {"model": "Model", "provider": "Provider", "deployment": "Deployment", "key": "Access key"}
DAY_S = 86_400
LEAD = (
    "Every call of this app, of the command line and of programs that call your server. What nobody reports is counted "
    "apart, never as nothing."
)
NOTHING = {"model": "no model", "provider": "no provider", "deployment": "no deployment", "key": "without a key"}


async def show(services: Services) -> None:
    with frame("Usage", "/usage"), ui.element("main").classes("page"):
        title("Usage", LEAD)
        with ui.row().classes("gap-4"):
            since = ui.toggle(SINCE, value=30).props("no-caps unelevated dense toggle-color=primary")
            by = ui.toggle(GROUPS, value="model").props("no-caps unelevated dense toggle-color=primary")
        place = ui.column().classes("w-full gap-4")

        async def draw() -> None:
            moment = time.time() // DAY_S * DAY_S - (since.value - 1) * DAY_S if since.value else None
            days = await thread(usage, services.database, "day", moment)
            groups = await thread(usage, services.database, by.value, moment)
            place.clear()
            with place:
                _total(groups)
                if len(days.rows) > 1:
                    _days(days)
                _table(groups, by.value)

        since.on_value_change(draw)
        by.on_value_change(draw)
        await draw()
    await list_chats(services)


def _total(report: UsageReport) -> None:
    total = report.total
    with ui.row().classes("w-full gap-4"):
        figures = (
            ("Spent", words.usd(total.usd) if total.calls else "nothing yet"),
            ("Calls", f"{total.calls:,}"),
            ("Tokens in", words.tokens(total.tokens_in or 0)),
            ("Tokens out", words.tokens(total.tokens_out or 0)),
            ("Failed", f"{total.errors:,}"),
        )
        for name, value in figures:
            with ui.element("div").classes("card").style("flex: 1 1 130px; min-width: 120px"):
                ui.label(name).classes("small muted")
                ui.label(value).style("font-size: 20px; font-weight: 600")
    if total.cost_unknown_calls:
        told = f"The cost of {total.cost_unknown_calls:,} calls is unknown; they are not in the sum."
        ui.label(told).classes("small warn")


def _days(report: UsageReport) -> None:
    """A bar a day: dollars where some were spent, else tokens."""
    rows = report.rows
    paid = any(row.usd for row in rows)
    values = [(row.usd or 0.0) if paid else float((row.tokens_in or 0) + (row.tokens_out or 0)) for row in rows]
    ui.echart({
        "grid": {"left": 56, "right": 8, "top": 16, "bottom": 26},
        "xAxis": {"type": "category", "data": [row.group for row in rows], "axisTick": {"show": False}},
        "yAxis": {"type": "value", "name": "USD" if paid else "tokens", "splitLine": {"lineStyle": {"opacity": 0.25}}},
        "tooltip": {"trigger": "axis"},
        "series": [{"type": "bar", "data": values, "itemStyle": {"color": "#0b8478", "borderRadius": [3, 3, 0, 0]}}],
    }).classes("card").style("height: 220px")  # fmt: skip


def _table(report: UsageReport, by: str) -> None:
    heads = (GROUPS[by], "Calls", "Tokens in", "Tokens out", "Spent", "p50", "p95")
    with (
        ui.element("div").classes("card").style("padding: 0; overflow-x: auto"),
        ui.element("table").classes("grid-table"),
    ):
        with ui.element("thead"), ui.element("tr"):
            for place, name in enumerate(heads):
                with ui.element("th").classes("num" if place else ""):
                    ui.label(name)
        with ui.element("tbody"):
            for row in report.rows:
                unknown = f" + {row.cost_unknown_calls} unknown" if row.cost_unknown_calls and row.usd else ""
                cells = (
                    row.group or NOTHING[by], f"{row.calls:,}", words.tokens(row.tokens_in or 0),
                    words.tokens(row.tokens_out or 0),
                    words.usd(row.usd) + unknown, words.seconds(row.latency_p50_ms), words.seconds(row.latency_p95_ms),
                )  # fmt: skip
                with ui.element("tr"):
                    for place, text in enumerate(cells):
                        with ui.element("td").classes("num" if place else ""):
                            ui.label(text)
            if not report.rows:
                with ui.element("tr"), ui.element("td").props("colspan=7"):
                    ui.label("No calls yet.").classes("muted")
