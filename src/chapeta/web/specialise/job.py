"""A job's page: how far it is, live, and when it is over what came out. Parts are changed in place, not built anew."""

from __future__ import annotations

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.jobs import Watch, cancel, remove, submit, watch
from chapeta.stages.watch import Curve, Live, StageTime
from chapeta.web import words
from chapeta.web.frame import say, title
from chapeta.web.services import thread
from chapeta.web.specialise import outcome
from chapeta.web.specialise.choice import duration
from chapeta.web.specialise.curve import CurvePicture

LOOK_S = 1.0
STATES = {
    "queued": ("schedule", "muted"), "running": ("autorenew", "muted"), "done": ("check_circle", "good"),
    "failed": ("error", "bad"), "cancelled": ("block", "warn"),
}  # fmt: skip


class JobPage:
    """Looks at a job every second until it is over."""

    def __init__(self, seen: Watch) -> None:
        self._id = seen.job.id
        self._curve = Curve(seen.job.run)
        self._drawn: object = None
        self._stages: tuple[StageTime, ...] = ()
        self._result_of = ""
        self._build(seen)
        self._timer = ui.timer(LOOK_S, self.look)

    async def look(self) -> None:
        """Takes a look, and changes what has changed."""
        try:
            now = await thread(watch, self._id)
            points = await thread(self._curve.read)
        except ChapetaError as error:  # removed in another window
            self._timer.deactivate()
            self._state.set_text(str(error))
            return
        self._tell(now)
        self._picture.show(points)
        if now.job.is_over:
            self._timer.deactivate()
        if now.job.status == "done" and self._result_of != now.job.id:
            self._result_of = now.job.id
            self._result.set_visibility(True)
            with self._result:
                await outcome.show(now.job)

    def _build(self, seen: Watch) -> None:
        ui.link("All runs", "/specialise").classes("small")
        title(seen.job.title)
        with ui.row().classes("items-center gap-2").props("role=status"):
            self._icon = ui.icon("schedule").style("font-size: 20px")
            self._state = ui.label()
        self._failure = ui.element("div").classes("notice bad").props("role=alert")
        self._result = ui.column().classes("w-full gap-3")
        self._result.set_visibility(False)
        self._progress = ui.element("div").classes("card")
        with self._progress, ui.column().classes("w-full gap-2"):
            self._lines = ui.column().classes("w-full gap-1")
            self._bar = (
                ui.linear_progress(value=0, show_value=False).classes("w-full").props("rounded aria-label=Stage")
            )
            self._note = ui.label().classes("small muted").mark("note")
        self._picture = CurvePicture()
        self._buttons = ui.row().classes("gap-2")
        with ui.expansion("What it says").classes("w-full small"):
            self._log = ui.label().classes("mono").style("white-space: pre-wrap; overflow-wrap: anywhere")

    def _tell(self, now: Watch) -> None:
        job = now.job
        icon, colour = STATES[job.status]
        self._icon.props(f"name={icon}").classes(replace=colour)
        self._state.set_text(_state(now))
        self._log.set_text(now.log)
        self._progress.set_visibility(now.live is not None and bool(now.live.stages) and job.status != "done")
        if now.live is not None:
            self._tell_stages(now.live, job.is_over)
        state = (job.status, job.cancelling)
        if state != self._drawn:
            self._drawn = state
            self._tell_failure(now)
            self._tell_buttons(now)

    def _tell_stages(self, live: Live, is_over: bool) -> None:
        if live.stages != self._stages:
            self._stages = live.stages
            self._lines.clear()
            with self._lines:
                for stage in live.stages:
                    _stage(stage)
        self._bar.set_visibility(live.share is not None and not is_over)
        self._bar.set_value(round(live.share or 0.0, 4))
        left = live.seconds_left
        parts = (live.note, f"about {duration(left)} left for this stage" if left else "")
        self._note.set_text("" if is_over else " · ".join(part for part in parts if part))

    def _tell_failure(self, now: Watch) -> None:
        self._failure.set_visibility(now.job.status == "failed")
        self._failure.clear()
        with self._failure:
            ui.label(now.job.state.error or "It failed and said nothing.")
            ui.label(now.job.state.remedy).classes("small muted")

    def _tell_buttons(self, now: Watch) -> None:
        job = now.job
        self._buttons.clear()
        with self._buttons:
            if not job.is_over:
                stop = ui.button("Cancel", icon="stop", on_click=self._cancel, color=None).props("flat no-caps")
                stop.set_enabled(not job.cancelling)
                return
            if job.status != "done":
                text = "Try again" if job.status == "failed" else "Go on where it was"
                ui.button(text, icon="play_arrow", on_click=self._again).props("unelevated no-caps")
            ui.button("Remove from the list", on_click=self._remove, color=None).props("flat no-caps")

    async def _cancel(self) -> None:
        with self._result:
            try:
                await thread(cancel, self._id)
            except ChapetaError as error:
                say(error)
        await self.look()

    async def _again(self) -> None:
        with self._result:
            try:
                job = (await thread(watch, self._id)).job
                new = await thread(submit, job.kind, job.arguments)
            except ChapetaError as error:
                say(error)
                return
            ui.navigate.to(f"/specialise/{new.id}")

    async def _remove(self) -> None:
        with self._result:
            try:
                await thread(remove, self._id)
            except ChapetaError as error:
                say(error)
                return
            ui.navigate.to("/specialise")


def _state(now: Watch) -> str:
    job = now.job
    if job.cancelling:
        return "It is being cancelled …"
    if job.status == "queued":
        return f"Waiting, {now.ahead} before this one." if now.ahead else "About to begin."
    if job.status == "running":
        again = f", for the {job.state.starts}. time" if job.state.starts > 1 else ""
        return f"Running since {words.when(job.state.began_s or job.submitted_s)}{again}."
    took = (
        f" after {duration(job.state.ended_s - job.state.began_s)}" if job.state.ended_s and job.state.began_s else ""
    )
    kept = " What it has done is kept." if job.status == "cancelled" else ""
    return f"{job.status.capitalize()}{took}.{kept}"


def _stage(stage: StageTime) -> None:
    with ui.row().classes("items-center gap-2"):
        ui.icon("check_circle" if stage.ended_s else "pending").classes("good" if stage.ended_s else "muted")
        ui.label(stage.title)
        if stage.ended_s:
            ui.label(duration(stage.ended_s - stage.began_s)).classes("small muted")
