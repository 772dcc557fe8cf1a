"""Usage: what was spent, in days and groups, from the ledger that every call goes through; and how far budgets are."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.gateway.ledger import budgets as key_budgets
from chapeta.gateway.ledger import import_journal
from chapeta.gateway.ledger.chats import ChatUsed, used_by_chats
from chapeta.gateway.ledger.over_time import OverTime, days_ago, over_time
from chapeta.gateway.ledger.usage import UsageReport, usage
from chapeta.storage.database import Database
from chapeta.web.frame import frame, list_chats, title
from chapeta.web.services import Services, thread
from chapeta.web.usage import budgets, chart, tables

SINCE = {1: "Today", 7: "7 days", 30: "30 days", 0: "All time"}
GROUPS = {"model": "Model", "provider": "Provider", "chat": "Chat", "deployment": "Deployment", "key": "Access key"}
LEAD = (
    "Every call of this app, of the command line and of programs that call your server. What nobody reports is counted "
    "apart, never as nothing."
)


@dataclass(frozen=True, slots=True)
class Look:
    """All that the page shows of a span; chats only where it is grouped by chat."""

    report: UsageReport
    days: OverTime
    chats: tuple[ChatUsed, ...]


async def show(services: Services) -> None:
    with frame("Usage", "/usage"), ui.element("main").classes("page"):
        title("Usage", LEAD, "token")
        with ui.row().classes("gap-3 w-full"):
            toggle = "no-caps unelevated dense toggle-color=primary"
            since = ui.toggle(SINCE, value=30).props(f'{toggle} aria-label="Since when"')
            by = ui.toggle(GROUPS, value="model").props(f'{toggle} aria-label="By what"').style("flex-wrap: wrap")
        place = ui.column().classes("w-full gap-4")
        budget_place = ui.column().classes("w-full gap-3")

        async def draw() -> None:
            span, group = since.value, by.value
            try:
                look = await thread(_look, services.database, group, days_ago(span, time.time()) if span else None)
            except ChapetaError as error:
                place.clear()
                with place:
                    ui.label(str(error)).classes("notice bad")
                return
            if (span, group) == (since.value, by.value):  # a slower look at what is not asked for any more
                place.clear()
                with place:
                    _draw(look)

        async def draw_budgets() -> None:
            found = await thread(key_budgets.budgets, services.database)
            budget_place.clear()
            with budget_place:
                budgets.budgets(found, services, draw_budgets)

        since.on_value_change(draw)
        by.on_value_change(draw)
        await draw()
        await draw_budgets()
    await list_chats(services)


def _look(database: Database, by: str, since: float | None) -> Look:
    import_journal(database)  # rows that `chapeta ask` has left to be brought in
    report = usage(database, "provider" if by == "chat" else by, since)
    chats = tuple(used_by_chats(database, since)) if by == "chat" else ()
    return Look(report, over_time(database, by, since), chats)


def _draw(look: Look) -> None:
    by = look.days.by
    titles = {chat.id: chat.title or "New chat" for chat in look.chats}
    tables.totals(look.report.total)
    chart.chart(look.days, lambda group: titles.get(group, "a deleted chat") if by == "chat" else _name(group, by))
    if by == "chat":
        tables.chats(look.chats)
    else:
        tables.groups(look.report, GROUPS[by])


def _name(group: str, by: str) -> str:
    return group or tables.NOTHING[by]
