"""Choices that most people leave as they are: model, limits, columns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import events, ui

from chapeta.web.specialise.choice import Choice

WIDTH = "flex: 1 1 180px"


def more_choices(choice: Choice, again: Callable[[], Awaitable[None]], opened: bool = False) -> None:
    """again: reads the file anew with what was changed. opened: the choices are what is needed now."""
    with ui.expansion("More choices: model, limits, columns", value=opened).classes("w-full small"):
        with ui.row().classes("w-full gap-3 q-pt-sm"):
            _text("Model", "model", choice)
            _number("At most minutes", "minutes", choice)
            _number("At most USD", "budget_usd", choice)
        with ui.row().classes("w-full gap-3"):
            _text("Column with the question", "question", choice)
            _text("Column with the answer", "answer", choice)
        ui.button("Look again", icon="refresh", on_click=again).props("flat no-caps dense")


def _text(label: str, field: str, choice: Choice) -> None:
    box = ui.input(label, value=getattr(choice, field)).props("outlined dense debounce=150").style(WIDTH)
    box.on_value_change(_keep(choice, field))


def _number(label: str, field: str, choice: Choice) -> None:
    box = ui.number(label, value=getattr(choice, field), min=0).props("outlined dense clearable debounce=150")
    box.style(WIDTH).on_value_change(_keep(choice, field))


def _keep(choice: Choice, field: str) -> Callable[[events.ValueChangeEventArguments[Any]], None]:
    def keep(given: events.ValueChangeEventArguments[Any]) -> None:
        setattr(choice, field, given.value if given.value is not None or field in ("minutes", "budget_usd") else "")

    return keep
