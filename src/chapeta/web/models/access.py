"""Access keys: what this machine issues to its own callers, with limits; each is shown once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from nicegui import ui

from chapeta.errors import BadInput, ChapetaError
from chapeta.gateway.keys.secret import looks_like_key
from chapeta.gateway.ledger.access import AccessKey, issue, listed, revoke
from chapeta.gateway.ledger.budgets import budgets as budgets_of
from chapeta.gateway.ledger.budgets import told
from chapeta.gateway.ledger.expiry import expiry, patterns
from chapeta.gateway.ledger.limits import parse_budget, parse_rate
from chapeta.storage.database import Database
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import heading, say
from chapeta.web.labels import labelled
from chapeta.web.models.ask_key import sure
from chapeta.web.services import Services, thread

PERIODS = {"day": "a day", "week": "a week", "month": "a month", "total": "in all"}
ENDS = {"": "never", "1d": "in a day", "30d": "in 30 days", "90d": "in 90 days", "365d": "in a year"}
LEAD = "For programs and people that call `chapeta serve` from elsewhere: each with its own limits."


@dataclass(frozen=True, slots=True)
class Asked:
    """The limits of a key as they were typed; what is empty does not limit."""

    name: str
    budget_usd: float | None = None
    period: str = "total"
    models: str = ""
    rate: str = ""
    expires: str = ""


def issued(database: Database, asked: Asked) -> str:
    """Makes a key with these limits and returns it. Raises BadInput for what cannot be. Blocks."""
    name = asked.name.strip()
    if looks_like_key(name):
        raise BadInput("That name looks like a key.", "Name the caller instead, such as my-app.")
    return issue(
        database, name,
        budget=parse_budget(f"{asked.budget_usd:f}/{asked.period}") if asked.budget_usd is not None else None,
        models=patterns(asked.models) if asked.models.strip() else (),
        rate=parse_rate(asked.rate) if asked.rate.strip() else None,
        expires_at=expiry(asked.expires, time.time()) if asked.expires.strip() else None,
    )  # fmt: skip


def limits(key: AccessKey, spent: str, now_s: float) -> str:
    """A key's limits in words. spent: of its budget, "" without one."""
    parts = [spent] if spent else []
    parts += [f"{key.rate} calls"] if key.rate else []
    parts += [", ".join(key.models)] if key.models else []
    if key.expires_at is not None:
        day = datetime.fromtimestamp(key.expires_at, UTC).strftime("%Y-%m-%d")
        parts.append(f"{'expired' if key.expires_at <= now_s else 'until'} {day}")
    return " · ".join(parts) or "no limits"


class AccessKeys:
    """The list of access keys on a page."""

    def __init__(self, services: Services) -> None:
        self._database = services.database
        heading("Access keys", "access-key")
        ui.label(LEAD.replace("`", "")).classes("lead")
        self._place = ui.column().classes("w-full gap-2")

    async def draw(self) -> None:
        with self._place:
            try:
                found = await thread(listed, self._database)
                spent = {use.key: told(use) for use in await thread(budgets_of, self._database)}
            except ChapetaError as error:
                self._place.clear()
                ui.label(str(error)).classes("notice bad")
                return
            self._place.clear()
            if found:
                with ui.element("div").classes("card").style("padding: 4px 8px"):
                    for key in found:
                        self._line(key, spent.get(key.name, ""))
            ui.button("Issue a key", icon="add", on_click=self._issue).props("flat no-caps dense").classes("self-start")

    def _line(self, key: AccessKey, spent: str) -> None:
        with labelled(ui.element("div").classes("provider").props("role=group"), key.name):
            with ui.column().classes("gap-0").style("flex: 1 1 220px; min-width: 0"):
                ui.label(key.name).classes("text-weight-medium")
                now_s = time.time()
                over = key.expires_at is not None and key.expires_at <= now_s
                ui.label(limits(key, spent, now_s)).classes("small bad" if over else "small muted")
            ui.label(f"chapeta-…{key.last4}").classes("mono")
            revoking = ui.button("Revoke", on_click=partial(self._revoke, key.name)).props("flat dense no-caps")
            labelled(revoking, f"Revoke {key.name}")

    async def _revoke(self, name: str) -> None:
        with self._place:
            if not await sure(f"Revoke {name}? Whoever uses it is refused within a second or two.", "Revoke"):
                return
            try:
                if not await thread(revoke, self._database, name):
                    say(f"{name} was revoked already.", "info")
            except ChapetaError as error:
                say(error)
            await self.draw()

    async def _issue(self) -> None:
        with self._place, opened_dialog("Issue an access key", 520) as dialog:
            asked = _form()
            problem = ui.label("").classes("small bad").props("role=alert")

            async def make() -> None:
                try:
                    token = await thread(issued, self._database, asked())
                except ChapetaError as error:
                    problem.text = str(error)
                    return
                name = asked().name.strip()
                dialog.close()
                await self.draw()
                self._show_once(name, token)

            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
                ui.button("Issue", on_click=make).props("unelevated no-caps")

    def _show_once(self, name: str, token: str) -> None:
        """The only time that a key can be seen; it leaves the page with the dialog."""
        with self._place, opened_dialog(f"The access key of {name}", 560) as dialog:
            dialog.props("persistent")
            ui.label("Copy it now: only its hash is kept, so it is not shown again.")
            ui.label(token).classes("mono card").style("overflow-wrap: anywhere").mark("token")
            with ui.column().classes("w-full gap-1 small muted"):
                ui.label("With chapeta serve running, any program that speaks OpenAI's API takes it:")
                ui.label(f"OPENAI_BASE_URL=http://127.0.0.1:8484/v1 OPENAI_API_KEY={token[:8]}…").classes("mono")

            def copy() -> None:
                ui.clipboard.write(token)
                say("Copied.", "positive")

            with ui.row().classes("w-full justify-end"):
                ui.button("Copy", icon="content_copy", on_click=copy).props("flat no-caps")
                ui.button("I have it", on_click=dialog.close).props("unelevated no-caps")


def _form() -> Callable[[], Asked]:
    """The fields of a new key; gives what they say."""
    name = ui.input("Whose", placeholder="my-app").props("outlined dense autofocus").classes("w-full")
    with ui.row().classes("w-full gap-2 no-wrap"):
        usd = ui.number("Budget in USD", min=0, step=1).props("outlined dense clearable").style("flex: 1 1 160px")
        period = ui.select(PERIODS, value="month").props('outlined dense aria-label="A budget of what time"')
        period.style("flex: 1 1 0; min-width: 0")
    with ui.row().classes("w-full gap-2 no-wrap"):
        rate = ui.input("Calls", placeholder="60/min").props("outlined dense").style("flex: 1 1 0; min-width: 0")
        ends = ui.select(ENDS, value="", label="It ends", new_value_mode="add-unique", with_input=True)
        ends.props('outlined dense hint="or a date: 2027-01-01"').style("flex: 1 1 0; min-width: 0")
    models = ui.input("Models", placeholder="openrouter/*,support-triage").props("outlined dense").classes("w-full")
    models.props('hint="Patterns between commas; empty: all"')

    def asked() -> Asked:
        return Asked(
            name.value or "", usd.value, str(period.value), models.value or "", rate.value or "", str(ends.value or "")
        )

    return asked
