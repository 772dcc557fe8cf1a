"""What is on this machine: models to fetch and to remove, and deployments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from nicegui import ui

from chapeta import deployments
from chapeta.engine import weights
from chapeta.errors import ChapetaError
from chapeta.web.frame import heading, say
from chapeta.web.labels import labelled
from chapeta.web.models.ask_key import sure
from chapeta.web.models.details import open_details
from chapeta.web.models.pulls import PULLS, Pull
from chapeta.web.services import thread

LOOK_S = 0.3


@dataclass(frozen=True, slots=True)
class Here:
    """A model or a deployment of this machine. is_here: its weights were fetched; about: in words."""

    name: str
    kind: str
    about: str
    is_here: bool = True


def here() -> list[Here]:
    """Deployments first, then the models that can be fetched. Blocks."""
    found = []
    for name in deployments.names():
        try:
            candidate = deployments.find(name)
            about = f"{candidate.name} on {candidate.model}" if candidate else ""
        except ChapetaError as error:
            about = f"cannot be read: {error.message}"
        found.append(Here(name, "deployment", about))
    for name, model in weights.MODELS.items():
        is_here = weights.is_pulled(name)
        size = "here" if is_here else f"{model.megabytes} MB to fetch"
        found.append(Here(name, "model", f"{model.about} · {model.licence} · {size}", is_here))
    return found


class Local:
    """The list on a page; it follows a fetch, also one that another page began."""

    def __init__(self) -> None:
        heading("On this machine", "embedded-model")
        self._place = ui.column().classes("w-full gap-2")

    async def draw(self) -> None:
        with self._place:
            found = await thread(here)
            self._place.clear()
            with ui.element("div").classes("card").style("padding: 4px 8px"):
                for one in found:
                    self._line(one)

    def _line(self, one: Here) -> None:
        with labelled(ui.element("div").classes("provider").props("role=group"), one.name):
            with ui.column().classes("gap-0").style("flex: 1 1 220px; min-width: 0"):
                ui.label(one.name).classes("text-weight-medium").style("overflow-wrap: anywhere")
                ui.label(one.about).classes("small muted")
                pull = PULLS.of(one.name) if one.kind == "model" else None
                if pull is not None and (not pull.is_over or pull.error):
                    self._progress(pull)
            with ui.row().classes("gap-1 no-wrap"):
                ui.button("Details", on_click=partial(open_details, one.name)).props("flat dense no-caps")
                if one.kind == "deployment":
                    self._remove_button(one)
                elif pull is None or pull.is_over:
                    text = "Fetch anew" if one.is_here else "Fetch"
                    ui.button(text, on_click=partial(self._fetch, one.name)).props("flat dense no-caps")
                    if one.is_here:
                        self._remove_button(one)

    def _remove_button(self, one: Here) -> None:
        button = ui.button(icon="delete_outline", on_click=partial(self._remove, one)).props("flat dense round")
        labelled(button, f"Remove {one.name}")

    def _progress(self, pull: Pull) -> None:
        """How far a fetch is, until it is over; then the list is drawn anew."""
        if pull.is_over:
            ui.label(pull.error).classes("small bad").props("role=alert")
            return
        step = ui.label("…").classes("small").props("role=status")
        bar = ui.linear_progress(0.0, show_value=False, size="6px").props("rounded").classes("w-full")
        labelled(bar, f"Fetching {pull.model}")

        async def look() -> None:
            step.text = f"{pull.now} … {pull.seconds:.0f} s"
            bar.value = pull.share
            if pull.is_over:
                timer.deactivate()
                await self.draw()

        timer = ui.timer(LOOK_S, look)

    async def _fetch(self, model: str) -> None:
        PULLS.begin(model)
        await self.draw()

    async def _remove(self, one: Here) -> None:
        what = "deployment" if one.kind == "deployment" else "weights"
        after = "" if one.kind == "deployment" else " They are fetched again when they are next needed."
        with self._place:
            if not await sure(f"Remove the {what} {one.name}?{after}"):
                return
            try:
                await thread(remove, one)
            except (ChapetaError, OSError) as error:
                say(error)
            await self.draw()


def remove(one: Here) -> None:
    """Takes a deployment, or the weights of a model, off this machine."""
    if one.kind == "deployment":
        deployments.remove(one.name)
    elif weights.is_pulled(one.name):
        weights.remove(one.name)
