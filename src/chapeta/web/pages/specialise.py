"""Specialise: from a dataset to a proven choice. The parts are in `web/specialise/`."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.jobs import watch
from chapeta.web.frame import frame, list_chats, title
from chapeta.web.services import Services, thread
from chapeta.web.specialise.begin import Begin
from chapeta.web.specialise.job import JobPage
from chapeta.web.specialise.runs import Runs

LEAD = (
    "Prompt, Skill or fine-tuning? All of them answer questions that none has seen, and the figures say which to use."
)


async def show(services: Services, name: str = "") -> None:
    with frame("Specialise", "/specialise"), ui.element("main").classes("page"):
        if name:
            await _job(name)
        else:
            await _begin()
    await list_chats(services)


async def _begin() -> None:
    title("Specialise", LEAD, "candidate")
    names = [one.name for one in await thread(datasets.listed) if one.rows]
    begin = Begin(names)
    wanted = ui.context.client.request.query_params.get("dataset")
    runs = Runs()
    await runs.look()
    if wanted in names:
        ui.timer(0, lambda: begin.pick(wanted), once=True)


async def _job(name: str) -> None:
    try:
        seen = await thread(watch, name)
    except ChapetaError as error:
        title("No such run", str(error))
        return
    await JobPage(seen).look()


def report_of(job_id: str) -> Path:
    """The report of a run. Raises Missing."""
    return watch(job_id).job.run / "report.html"
