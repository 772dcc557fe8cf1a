"""Project folders: the skills in them are used only after the user has looked at them and trusts the folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nicegui import ui

from chapeta.errors import BadInput, ChapetaError
from chapeta.skills import trust
from chapeta.skills.trust import Look, Shown
from chapeta.web.components.answer import Answer
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import heading, say
from chapeta.web.services import thread

Again = Callable[[], Awaitable[None]]
LEAD = (
    "A project can bring Skills of its own, in .agents/skills and .claude/skills. They tell your models what to do, so they "
    "wait until you have read them and trust the folder; one that changes waits again."
)
STATES = {"trusted": "trusted", "new": "new", "changed": "changed since you trusted it"}


@dataclass(frozen=True, slots=True)
class Folder:
    """A project folder: one that is trusted, or one that could be. look: what is in it, None where it is gone."""

    path: Path
    look: Look | None
    is_trusted: bool
    problem: str = ""


def folders() -> list[Folder]:
    """The trusted folders, then those around here that have skills. Blocks."""
    return [_looked(path, True) for path in trust.folders()] + [_looked(path, False) for path in trust.nearby()]


def _looked(path: Path, is_trusted: bool) -> Folder:
    try:
        return Folder(path, trust.look(path), is_trusted)
    except ChapetaError as error:
        return Folder(path, None, is_trusted, error.message)


def checked(path: str) -> Look:
    """A folder that the user named. Raises BadInput where it has no skills. Blocks."""
    if not path.strip():
        raise BadInput("No folder was named.", "Give its path, such as ~/projects/shop.")
    look = trust.look(Path(path.strip()))
    if not look.skills:
        why = f" ({look.faults[0][0]}: {look.faults[0][1]})" if look.faults else ""
        raise BadInput(
            f"{look.folder} has no skills{why}.", "They are looked for in .agents/skills and .claude/skills."
        )
    return look


class Trust:
    """The list of project folders on a page. changed: called after trust was given or taken back."""

    def __init__(self, changed: Again) -> None:
        self._changed = changed
        heading("Project folders")
        ui.label(LEAD).classes("lead")
        self._place = ui.column().classes("w-full gap-2")
        with ui.row().classes("w-full items-center gap-2"):
            self._path = ui.input("Folder of a project", placeholder="~/projects/shop").props("outlined dense")
            self._path.style("flex: 1 1 240px").on("keydown.enter", self._look)
            ui.button("Look at it", on_click=self._look).props("flat no-caps")
        self._problem = ui.label("").classes("small bad").props("role=alert")

    async def draw(self) -> None:
        with self._place:
            try:
                found = await thread(folders)
            except ChapetaError as error:
                self._place.clear()
                ui.label(str(error)).classes("notice bad")
                return
            self._place.clear()
            if found:
                with ui.element("div").classes("card").style("padding: 4px 8px"):
                    for folder in found:
                        self._line(folder)

    def _line(self, folder: Folder) -> None:
        with ui.element("div").classes("provider").props('role=group aria-label="Project folder"'):
            with ui.column().classes("gap-0").style("flex: 1 1 260px; min-width: 0"):
                ui.label(str(folder.path)).classes("mono").style("overflow-wrap: anywhere")
                for kind, text in _about(folder):
                    ui.label(text).classes(f"small {kind}")
            with ui.row().classes("gap-1 no-wrap"):
                if folder.look is not None:
                    text = "Look and trust" if folder.look.asks else "Look"
                    ui.button(text, on_click=partial(self._ask, folder.look)).props("flat dense no-caps")
                if folder.is_trusted:
                    ui.button("Trust no more", on_click=partial(self._distrust, folder.path)).props(
                        "flat dense no-caps"
                    )

    async def _look(self) -> None:
        self._problem.text = ""
        try:
            look = await thread(checked, self._path.value or "")
        except ChapetaError as error:
            self._problem.text = str(error)
            return
        self._ask(look)

    def _ask(self, look: Look) -> None:
        """Shows every skill whole, then asks."""
        with self._place, opened_dialog("The Skills of this folder", 760) as dialog:
            ui.label(str(look.folder)).classes("mono muted").style("overflow-wrap: anywhere")
            with ui.column().classes("w-full gap-1").style("max-height: 56vh; overflow: auto; flex-wrap: nowrap"):
                for skill in look.skills:
                    _shown(skill)
                for path, why in look.faults:
                    ui.label(f"{path}: {why}").classes("small bad")
            if look.asks:
                ui.label("Models will be told what these Skills say. Trust them only if you have read them.")
            with ui.row().classes("w-full justify-end"):
                ui.button("Close" if not look.asks else "Not now", on_click=dialog.close).props(
                    "flat no-caps autofocus"
                )
                if look.asks:
                    ui.button(f"Trust {_count(len(look.skills))}", on_click=partial(self._trust, look, dialog)).props(
                        "unelevated no-caps"
                    )

    async def _trust(self, look: Look, dialog: ui.dialog) -> None:
        with self._place:
            try:
                await thread(trust.trust, look)
            except ChapetaError as error:
                say(error)
                return
            dialog.close()
            self._path.value = ""
            say(f"{_count(len(look.skills))} of {look.folder.name} can be used.", "positive")
            await self.draw()
            await self._changed()

    async def _distrust(self, path: Path) -> None:
        with self._place:
            try:
                await thread(trust.distrust, path)
            except ChapetaError as error:
                say(error)
            await self.draw()
            await self._changed()


def _about(folder: Folder) -> list[tuple[str, str]]:
    if folder.look is None:
        return [("warn", f"Not to be found: {folder.problem}")]
    waiting = [skill for skill in folder.look.skills if skill.state != "trusted"]
    told = [("muted", _count(len(folder.look.skills)))]
    if folder.is_trusted:
        told = [("good", f"trusted: {_count(len(folder.look.skills) - len(waiting))}")]
        if waiting:
            told.append(("warn", f"{_count(len(waiting))} came or changed since, and wait for you"))
    return told + [("bad", f"{path}: {why}") for path, why in folder.look.faults[:3]]


def _shown(skill: Shown) -> None:
    with ui.expansion(f"/{skill.name} · {STATES[skill.state]}", caption=skill.description[:300]).classes("w-full"):
        ui.label(skill.path).classes("mono muted")
        Answer(f"~~~~~~~~~~markdown\n{skill.text}\n~~~~~~~~~~")


def _count(number: int) -> str:
    return "1 Skill" if number == 1 else f"{number} Skills"
