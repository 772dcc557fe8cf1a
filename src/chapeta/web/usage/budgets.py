"""Budgets as bars: what an access key has spent of what it may, and the way to give it another sum."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.gateway.ledger.budgets import BudgetUse, change_budget, told
from chapeta.gateway.ledger.limits import moment
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import heading, say
from chapeta.web.labels import labelled
from chapeta.web.services import Services, thread

SOON = 0.8
Again = Callable[[], Awaitable[None]]


def budgets(found: Sequence[BudgetUse], services: Services, again: Again) -> None:
    """A bar a budget. again: draws them anew."""
    heading("Budgets", "budget")
    if not found:
        with ui.row().classes("items-center gap-1"):
            ui.label("No access key has a budget.").classes("muted")
            ui.link("Issue one that has", "/models#access")
        return
    with ui.element("div").classes("card"), ui.column().classes("w-full gap-4"):
        for use in found:
            _bar(use, services, again)


def _bar(use: BudgetUse, services: Services, again: Again) -> None:
    kind = "bad" if use.share >= 1 else "warn" if use.share >= SOON else ""
    with ui.column().classes("w-full gap-1"):
        with ui.row(wrap=False).classes("w-full items-center gap-2"):
            with ui.column().classes("gap-0").style("flex: 1 1 0; min-width: 0"):
                ui.label(use.key).classes("text-weight-medium").style("overflow-wrap: anywhere")
                ui.label(told(use)).classes(f"small {kind or 'muted'}")
            change = ui.button("Change", on_click=partial(_change, use, services, again))
            labelled(change, f"Change the budget of {use.key}").props("flat dense no-caps")
        colour = {"bad": "negative", "warn": "warning", "": "primary"}[kind]
        bar = ui.linear_progress(min(1.0, use.share), show_value=False, color=colour, size="8px").props("rounded")
        labelled(bar, f"{use.share:.0%} of the budget of {use.key} is spent")
        if math.isfinite(use.begins_anew_s):
            ui.label(f"It begins anew at {moment(use.begins_anew_s)}.").classes("small muted")


async def _change(use: BudgetUse, services: Services, again: Again) -> None:
    with opened_dialog(f"Budget of {use.key}", 420) as dialog:
        ui.label(f"{told(use)}. What was spent stays spent.").classes("muted")
        per = "in all" if use.budget.period == "total" else f"a {use.budget.period}"
        usd = ui.number(f"USD {per}", value=use.budget.usd, min=0, step=1, format="%.2f").props(
            "outlined dense autofocus"
        )
        problem = ui.label("").classes("small bad").props("role=alert")

        async def keep() -> None:
            try:
                await thread(change_budget, services.database, use.key, float(usd.value or 0))
            except ChapetaError as error:
                problem.text = str(error)
                return
            dialog.close()
            say(f"{use.key} may spend ${float(usd.value):,.2f} {per} from now on.", "positive")
            await again()

        usd.on("keydown.enter", keep)
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Keep", on_click=keep).props("unelevated no-caps")
