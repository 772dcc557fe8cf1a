"""The candidates with time and price, of which some are chosen; and the button that begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import events, ui

from chapeta.errors import ChapetaError
from chapeta.jobs.planned import Looked, Plan, Planned, range_of
from chapeta.stages.run import Settings
from chapeta.web import words
from chapeta.web.ask import ask
from chapeta.web.frame import say
from chapeta.web.labels import labelled
from chapeta.web.services import thread
from chapeta.web.specialise.choice import ABOUT, Choice, between, duration

Then = Callable[[], Awaitable[None]]
BUSY = 1.5  # how many times longer it has to take before that is worth a word


def _weigh(looked: Looked, settings: Settings) -> Plan:
    """In a thread, as what it needs is large."""
    from chapeta.jobs.plan import weigh

    return weigh(looked, settings)


async def show(choice: Choice, looked: Looked, begin: Then) -> None:
    """Builds the table in the slot that is open."""
    try:
        all_of = await thread(_weigh, looked, choice.everything())
    except ChapetaError as error:
        say(error)
        return
    possible = {one.name for one in all_of.candidates if not one.why_not}
    choice.candidates &= possible
    choice.candidates = choice.candidates or set(possible)
    sizes = f"{all_of.train:,} to learn from, {all_of.validation:,} to choose by, {all_of.test:,} to measure with"
    with ui.row().classes("items-center gap-0"):
        ui.label(sizes).classes("small")
        ask("held-out-test-set")
    with ui.element("table").classes("grid-table").props('aria-label="Candidates"'), ui.element("tbody"):
        for one in all_of.candidates:
            _line(choice, one, lambda: total())
    in_all = ui.label().props("role=status").mark("in-all")
    busy = ui.label().classes("small warn")
    with ui.row().classes("w-full items-center gap-3"):
        name = ui.input("Name, also of what comes out", value=choice.name).props("outlined dense debounce=200")
        name.on_value_change(lambda given: setattr(choice, "name", given.value or "")).style("min-width: 240px")
        start = ui.button("Begin", icon="play_arrow", on_click=begin).props("unelevated no-caps")

    turns: list[None] = []  # of weighing: an earlier one does not come after a later one

    async def total() -> None:
        turns.append(None)
        turn = len(turns)
        start.set_enabled(bool(choice.candidates))
        if not choice.candidates:
            in_all.set_text("Choose at least one candidate.")
            return
        try:
            planned = await thread(_weigh, looked, choice.settings())
        except ChapetaError as error:
            in_all.set_text(str(error))
            return
        if turn != len(turns):
            return
        in_all.set_text(_in_all(planned))
        slow = planned.busy_s > BUSY * planned.range_s[1]
        busy.set_text(f"Up to {duration(planned.busy_s)} if this machine stays as busy as it is now.")
        busy.set_visibility(slow)

    await total()


def _line(choice: Choice, one: Planned, changed: Then) -> None:
    async def chosen(given: events.ValueChangeEventArguments[bool | None]) -> None:
        (choice.candidates.add if given.value else choice.candidates.discard)(one.name)
        await changed()

    with ui.element("tr"):
        with ui.element("td").style("width: 1%"):
            box = ui.checkbox(value=one.name in choice.candidates, on_change=chosen)
            labelled(box, one.name).props("dense").set_enabled(not one.why_not)
        with ui.element("td"):
            ui.label(one.name).classes("text-weight-medium")
            ui.label(one.why_not or ABOUT.get(one.name, "")).classes("small warn" if one.why_not else "small muted")
        with ui.element("td").classes("num"):
            ui.label("" if one.why_not else between(*range_of(one.seconds))).classes("no-wrap")
            ui.label("" if one.why_not else words.usd(one.usd)).classes("small muted")


def _in_all(plan: Plan) -> str:
    price = plan.price
    paid = f"{price}." if price is not None and price.calls else "Nothing is billed: it all runs on this machine."
    return f"In all {between(*plan.range_s)}. {paid}"
