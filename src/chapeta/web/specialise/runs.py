"""The list of runs: what waits, runs and is over; kept up to date while the page is open."""

from __future__ import annotations

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.jobs import Job, jobs, remove
from chapeta.web import words
from chapeta.web.frame import heading, say
from chapeta.web.services import thread

SHOWN = 30
LOOK_S = 2.0
COLOURS = {"failed": "bad", "done": "good", "cancelled": "warn"}


class Runs:
    """The newest runs. Built anew only when one of them has changed."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, str]] | None = None
        self._place = ui.column().classes("w-full gap-3")
        ui.timer(LOOK_S, self.look)

    async def look(self) -> None:
        found = await thread(jobs, SHOWN)
        seen = [(job.id, _state(job, found)) for job in found]
        if seen == self._seen:
            return
        self._seen = seen
        self._place.clear()
        if not found:
            return
        with self._place:
            heading("Runs")
            table = ui.element("table").classes("grid-table").props("aria-label=Runs")
            with ui.element("div").classes("card").style("padding: 0") as card:
                table.move(card)
            with table, ui.element("tbody"):
                for job in found:
                    self._line(job, found)

    def _line(self, job: Job, found: list[Job]) -> None:
        with ui.element("tr"):
            with ui.element("td"):
                ui.link(job.title, f"/specialise/{job.id}").classes("text-weight-medium")
            with ui.element("td"):
                ui.label(_state(job, found)).classes(COLOURS.get(job.status, "muted"))
            with ui.element("td").classes("num muted"):
                ui.label(words.when(job.submitted_s))
            with ui.element("td").classes("num").style("width: 1%"):
                if job.is_over:
                    ui.button(icon="close", on_click=lambda: self._remove(job), color=None).props(
                        f'flat dense round size=sm aria-label="Remove run {job.id} from the list"'
                    )

    async def _remove(self, job: Job) -> None:
        with self._place:
            try:
                await thread(remove, job.id)
            except ChapetaError as error:
                say(error)
        await self.look()


def _state(job: Job, found: list[Job]) -> str:
    if job.cancelling:
        return "being cancelled"
    if job.status != "queued":
        return job.status
    ahead = sum(1 for other in found if not other.is_over and int(other.id) < int(job.id))
    return f"waits, {ahead} before it" if ahead else "about to begin"
