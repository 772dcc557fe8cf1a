"""What is asked about one chat or several: a title, a folder, tags. Each gives None where the user would rather not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui import ui

MOST_OFFERED = 60  # folders or tags that are there already


@dataclass(frozen=True, slots=True)
class Tags:
    """add: tags to put on; remove: tags to take off. All others stay."""

    add: tuple[str, ...]
    remove: tuple[str, ...]


async def ask_title(now: str) -> str | None:
    """A new title."""
    with _dialog("Rename") as dialog:
        title = _line("Title", now)
        _foot(dialog, title, "Rename", lambda: (title.value or "").strip() or None)
    answer: str | None = await _answer(dialog)
    return answer


async def ask_folder(known: Iterable[str], now: str = "") -> str | None:
    """The folder to move to, one that is there or a new one; "" is none."""
    with _dialog("Move to a folder") as dialog:
        folder = _line("Folder", now).props('hint="A new name makes a new folder; empty: in no folder"')
        with ui.row().classes("full-width").style("gap: 6px; margin-top: 4px"):
            for name in list(known)[:MOST_OFFERED]:
                button = ui.button(name, icon="folder_open", on_click=partial(folder.set_value, name), color=None)
                button.props("outline dense no-caps size=sm").classes("q-px-sm")
        _foot(dialog, folder, "Move", lambda: (folder.value or "").strip())
    answer: str | None = await _answer(dialog)
    return answer


async def ask_tags(known: Iterable[str], now: Collection[str]) -> Tags | None:
    """Which tags to put on and take off. now: those that all the chats have."""
    boxes: dict[str, ui.checkbox] = {}
    with _dialog("Tags") as dialog:
        with ui.row().classes("full-width").style("gap: 2px 18px"):
            for name in list(dict.fromkeys([*now, *known]))[:MOST_OFFERED]:
                boxes[name] = ui.checkbox(name, value=name in now).props("dense").classes("q-py-xs no-wrap")
        new = _line("New tags", "").props('hint="Several with commas between them"')

        def chosen() -> Tags:
            typed = [tag.strip().lstrip("#") for tag in (new.value or "").split(",")]
            wanted = {name for name, box in boxes.items() if box.value}
            return Tags(
                tuple(tag for tag in [*sorted(wanted - set(now)), *typed] if tag), tuple(sorted(set(now) - wanted))
            )

        _foot(dialog, new, "Save", chosen)
    answer: Tags | None = await _answer(dialog)
    return answer


@contextmanager
def _dialog(title: str) -> Iterator[ui.dialog]:
    with ui.dialog() as dialog, ui.card().classes("full-width").style("max-width: 440px"):
        ui.label(title).classes("text-h6")
        yield dialog


def _line(label: str, value: str) -> ui.input:
    return ui.input(label, value=value).props("outlined autofocus maxlength=200").classes("full-width")


def _foot(dialog: ui.dialog, line: ui.input, act: str, answer: Callable[[], Any]) -> None:
    """The buttons, of which the last is also that of Enter in the line."""
    with ui.row().classes("full-width justify-end"):
        ui.button("Cancel", on_click=lambda: dialog.submit(None), color=None).props("flat no-caps")
        ui.button(act, on_click=lambda: dialog.submit(answer())).props("unelevated no-caps")
    line.on("keydown.enter", lambda: dialog.submit(answer()))


async def _answer(dialog: ui.dialog) -> Any:
    answer = await dialog
    dialog.delete()
    return answer
