"""Specialise: from a dataset to a proven choice. What was read, what it will take, how far it is, and what came out."""

from __future__ import annotations

import time
from pathlib import Path

from nicegui import ui

from chapeta import config
from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.jobs import Job, Watch, cancel, jobs, remove, specialize_arguments, submit, watch
from chapeta.jobs.plan import Plan, plan
from chapeta.stages.run import CANDIDATES, Settings
from chapeta.web import checked, words
from chapeta.web.frame import frame, list_chats, say, title
from chapeta.web.services import Services, thread

ABOUT = {
    "base": "the model with a plain prompt",
    "few-shot": "some examples shown before each question",
    "nearest": "the most similar examples shown before each question",
    "skill": "instructions written from the examples",
    "tuned": "a fine-tuned model",
    "tuned+skill": "a fine-tuned model with instructions",
}
LOOK_S = 1.0


async def show(services: Services, name: str = "") -> None:
    with frame("Specialise", "/specialise"), ui.element("main").classes("page"):
        if name:
            await _job(name)
        else:
            await _begin()
            await _jobs()
    await list_chats(services)


async def _begin() -> None:
    title(
        "Specialise",
        "Prompt, Skill or fine-tuning? All of them answer questions that none has seen, and the figures say which to use.",
    )
    names = [one.name for one in await thread(datasets.listed)]
    if not names:
        with ui.row().classes("items-center gap-2"):
            ui.label("There are no examples yet.")
            ui.link("Drop a file, or collect some in chats", "/examples")
        return
    wanted = ui.context.client.request.query_params.get("dataset")
    with ui.element("div").classes("card"), ui.column().classes("w-full gap-3"):
        with ui.row().classes("w-full gap-3"):
            dataset = (
                ui.select(names, label="Examples", value=wanted if wanted in names else names[0])
                .props("outlined dense")
                .style("min-width: 220px")
            )
            model = ui.input("Model", value=config.DEFAULT_MODEL).props("outlined dense").style("min-width: 220px")
            minutes = (
                ui.number("At most minutes", min=1, step=1).props("outlined dense clearable").style("width: 150px")
            )
            budget = ui.number("At most USD", min=0, step=1).props("outlined dense clearable").style("width: 130px")
        boxes = {}
        with ui.row().classes("w-full gap-4"):
            for name in CANDIDATES:
                boxes[name] = ui.checkbox(name, value=True).tooltip(ABOUT.get(name, ""))
        place = ui.column().classes("w-full gap-2")

        def settings() -> Settings:
            chosen = tuple(name for name, box in boxes.items() if box.value)
            stamp = time.strftime("%m%d-%H%M%S")
            return Settings(
                source=str(datasets.path_of(str(dataset.value))), name=f"{dataset.value}-{stamp}"[:60].lower(),
                models=((model.value or config.DEFAULT_MODEL).strip(),), candidates=chosen,
                limit_minutes=minutes.value, budget_usd=budget.value,
            )  # fmt: skip

        async def look() -> None:
            button.disable()
            place.clear()
            with place:
                ui.spinner(size="1.4em")
            try:
                wanted_settings = settings()
                planned = await thread(plan, wanted_settings)
            except ChapetaError as error:
                place.clear()
                say(error)
                button.enable()
                return
            button.enable()
            place.clear()
            with place:
                _planned(planned, wanted_settings)

        button = ui.button("Look at it first", on_click=look).props("unelevated no-caps")


def _planned(planned: Plan, settings: Settings) -> None:
    """What was read, and candidates with time and price; nothing begins before it is agreed to."""
    for kind, line in checked.lines(planned.report):
        ui.label(line).classes(f"small {kind}")
    if planned.problem:
        ui.label(planned.problem).classes("notice bad")
        return
    ui.label(
        f"{planned.train:,} to learn from, {planned.validation:,} to choose by, {planned.test:,} to measure with"
    ).classes("small")
    for note in planned.notes:
        ui.label(note).classes("small muted")
    with ui.element("table").classes("grid-table"), ui.element("tbody"):
        for one in planned.candidates:
            with ui.element("tr"):
                with ui.element("td"):
                    ui.label(one.name).classes("text-weight-medium")
                    ui.label(one.why_not or ABOUT.get(one.name, "")).classes(
                        "small warn" if one.why_not else "small muted"
                    )
                with ui.element("td").classes("num"):
                    ui.label("" if one.why_not else f"about {_duration(one.seconds)}")
                with ui.element("td").classes("num"):
                    ui.label("" if one.why_not else words.usd(one.usd))
    price = f"{planned.price}." if planned.price is not None and planned.price.calls else ""
    ui.label(f"In all about {_duration(planned.seconds)}. {price}".strip())

    async def begin() -> None:
        try:
            job = await thread(submit, "specialize", specialize_arguments(settings, agreed=True))
        except ChapetaError as error:
            say(error)
            return
        ui.navigate.to(f"/specialise/{job.id}")

    ui.button("Begin", icon="play_arrow", on_click=begin).props("unelevated no-caps")


async def _jobs() -> None:
    found = await thread(jobs, 20)
    if not found:
        return
    ui.html("<h2>Runs</h2>", sanitize=False)
    with (
        ui.element("div").classes("card").style("padding: 0"),
        ui.element("table").classes("grid-table"),
        ui.element("tbody"),
    ):
        for job in found:
            with ui.element("tr"):
                with ui.element("td"):
                    ui.link(job.title, f"/specialise/{job.id}").classes("text-weight-medium")
                with ui.element("td"):
                    ui.label(job.status).classes({"failed": "bad", "done": "good"}.get(job.status, "muted"))
                with ui.element("td").classes("num muted"):
                    ui.label(words.when(job.submitted_s))


async def _job(job_id: str) -> None:
    try:
        seen = await thread(watch, job_id)
    except ChapetaError as error:
        title("No such run", str(error))
        return
    ui.link("All runs", "/specialise").classes("small")
    title(seen.job.title)
    place = ui.column().classes("w-full gap-3")
    drawn: list[object] = []

    async def draw() -> None:
        now = await thread(watch, job_id)
        state = (now.job.status, now.job.cancelling, now.live, now.ahead)
        if drawn == [state]:
            return
        drawn[:] = [state]
        place.clear()
        with place:
            await _drawn(now)
        if now.job.is_over:
            timer.deactivate()

    timer = ui.timer(LOOK_S, draw)
    await draw()


async def _drawn(now: Watch) -> None:
    job = now.job
    if job.status == "queued":
        ui.label(f"It waits for {now.ahead} before it." if now.ahead else "It is about to begin.").classes("muted")
    if job.status == "failed":
        with ui.element("div").classes("notice bad"):
            ui.label(job.state.error or "It failed.")
            ui.label(job.state.remedy).classes("small muted")
    if job.status == "done":
        _outcome(job)
    if now.live is not None and not job.is_over:
        _progress(now)
    with ui.row().classes("gap-2"):
        if not job.is_over:
            label = "It is being cancelled …" if job.cancelling else "Cancel"
            ui.button(label, on_click=lambda: thread(cancel, job.id)).props("flat no-caps").set_enabled(
                not job.cancelling
            )
        elif job.status != "done":

            async def again() -> None:
                new = await thread(submit, job.kind, job.arguments)
                ui.navigate.to(f"/specialise/{new.id}")

            ui.button("Go on where it was", on_click=again).props("unelevated no-caps")

        async def forget() -> None:
            await thread(remove, job.id)
            ui.navigate.to("/specialise")

        if job.is_over:
            ui.button("Remove from the list", on_click=forget).props("flat no-caps")
    if now.log and job.status != "done":
        with ui.expansion("What it says").classes("w-full small"):
            ui.label(now.log).classes("mono").style("white-space: pre-wrap; overflow-wrap: anywhere")


def _progress(now: Watch) -> None:
    live = now.live
    assert live is not None
    for stage in live.stages:
        with ui.row().classes("items-center gap-2"):
            ui.icon("check_circle" if stage.ended_s else "pending").classes("good" if stage.ended_s else "muted")
            ui.label(stage.title)
            if stage.ended_s:
                ui.label(_duration(stage.ended_s - stage.began_s)).classes("small muted")
    if live.share is not None:
        ui.linear_progress(value=live.share, show_value=False).classes("w-full")
    left = f"about {_duration(live.seconds_left)} left for this stage" if live.seconds_left else ""
    ui.label(" · ".join(part for part in (live.note, left) if part)).classes("small muted")


def _outcome(job: Job) -> None:
    """The verdict, the report with its pictures, and the way to the winner."""
    result = job.state.result or {}
    verdict = result.get("verdict")
    if isinstance(verdict, dict):
        ui.label(str(verdict.get("use") or verdict.get("verdict") or "")).style("font-size: 20px; font-weight: 650")
        for reason in verdict.get("reasons", []):
            ui.label(str(reason)).classes("muted")
    deployment = result.get("deployment")
    with ui.row().classes("gap-2"):
        if deployment:
            ui.button(
                f"Talk to {deployment}", icon="chat", on_click=lambda: ui.navigate.to(f"/?model={deployment}")
            ).props("unelevated no-caps")
        if (job.run / "report.html").exists():
            ui.link("The report by itself", f"/reports/{job.id}", new_tab=True)
    if (job.run / "report.html").exists():
        ui.element("iframe").props(f'src="/reports/{job.id}" sandbox="" title="The report"').classes("report")


def report_of(job_id: str) -> Path:
    """The report of a run. Raises Missing."""
    return watch(job_id).job.run / "report.html"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
