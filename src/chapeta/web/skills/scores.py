"""The scores of a skill's versions: run them against a dataset, watch it, compare what came out."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.jobs import Job, Watch, cancel, jobs, watch
from chapeta.skills import library
from chapeta.skills.scores import scores, series
from chapeta.web.frame import heading
from chapeta.web.services import thread
from chapeta.web.skills.score_form import KIND, Form
from chapeta.web.skills.score_table import score_table

LOOK_S = 0.7
LEAD = "The rows of a dataset that are held back, answered with each version as instructions: the same rows for all."


def running(name: str) -> Job | None:
    """The job that scores this skill and is not over, if there is one. Blocks."""
    mine = (job for job in jobs(50) if job.kind == KIND and job.arguments.get("name") == name)
    return next((job for job in mine if not job.is_over), None)


class Scores:
    """The scores on a page, the form that begins a run, and how far one is."""

    def __init__(self, name: str) -> None:
        self._name = name
        heading("Scores", "confidence-interval")
        ui.label(LEAD).classes("lead")
        self._form = Form(name, self._follow)
        self._work = ui.column().classes("w-full gap-1")
        self._table = ui.column().classes("w-full gap-3")

    async def begin(self) -> None:
        """Draws all of it; goes on with a run that another page began."""
        await self._form.draw()
        await self.draw()
        job = await thread(running, self._name)
        if job is not None:
            await self._follow(job)

    async def draw(self) -> None:
        """The scores there are now."""
        with self._table:
            try:
                found, known = await thread(scores, self._name), await thread(library.versions, self._name)
            except ChapetaError as error:
                self._table.clear()
                ui.label(str(error)).classes("notice bad")
                return
            self._table.clear()
            for together in series(found).values():
                score_table(together, known)

    async def _follow(self, job: Job) -> None:
        """Shows how far a run is, until it is over."""
        self._work.clear()
        with self._work:
            told = ui.label("It is about to begin.").classes("small").props("role=status")
            bar = ui.linear_progress(0.0, show_value=False, size="6px").props("rounded aria-label='Scoring'")
            bar.classes("w-full")
            ui.button("Cancel", on_click=partial(thread, cancel, job.id)).props("flat dense no-caps")

            async def look() -> None:
                try:
                    now = await thread(watch, job.id)
                except ChapetaError as error:
                    timer.deactivate()
                    told.classes(replace="small bad").set_text(str(error))
                    return
                told.text, bar.value = _told(now)
                if now.job.is_over:
                    timer.deactivate()
                    await self._over(now)

            timer = ui.timer(LOOK_S, look)

    async def _over(self, now: Watch) -> None:
        await self.draw()
        self._work.clear()  # last: with it the timer goes in which this runs
        with self._work:
            if now.job.status == "failed":
                with ui.element("div").classes("notice bad"):
                    ui.label(now.job.state.error or "It failed.")
                    ui.label(now.job.state.remedy).classes("small muted")
            elif now.job.status == "cancelled":
                ui.label("Cancelled. Answers that came are kept.").classes("small muted")


def _told(now: Watch) -> tuple[str, float]:
    if now.job.status == "queued":
        return (f"It waits for {now.ahead} before it." if now.ahead else "It is about to begin."), 0.0
    live = now.live
    if now.job.cancelling:
        return "It is being cancelled …", live.share or 0.0 if live else 0.0
    if live is None:
        return "It begins …", 0.0
    left = f" · about {live.seconds_left:.0f} s left" if live.seconds_left else ""
    return f"{live.stage or 'Beginning'} · {live.note}{left}".rstrip(" ·"), live.share or 0.0
