"""What came out of a run: the verdict, the candidates, answers side by side, the report; and the way to talk to one."""

from __future__ import annotations

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.jobs import Job
from chapeta.jobs.found import Found, found
from chapeta.web.ask import ask
from chapeta.web.frame import heading
from chapeta.web.services import thread
from chapeta.web.specialise.deploying import Deploying
from chapeta.web.specialise.differences import Differences

INDICATIVE = "Fewer than 100 test rows: more of them may change the verdict."


async def show(job: Job) -> None:
    """Builds it in the slot that is open."""
    if job.kind != "specialize":
        ui.label("The scores stand on the Skill's page.").classes("muted")
        ui.link("Skills", f"/skills/{job.arguments.get('name', '')}")
        return
    try:
        result = await thread(found, job.run)
    except ChapetaError as error:
        ui.label(str(error)).classes("notice bad")
        return
    _verdict(result)
    await Deploying(job, result).show()
    await Differences(job.run).show()
    if result.has_report:
        _report(job)


def _verdict(result: Found) -> None:
    with ui.element("section").classes("card").props("aria-label=Verdict"), ui.column().classes("w-full gap-1"):
        with ui.row().classes("items-center gap-1"):
            ui.label(result.headline).classes("verdict").props("role=heading aria-level=2")
            ask("verdict")
            if result.verdict.indicative:
                ui.label("indicative").classes("chip warn").tooltip(INDICATIVE)
        for reason in result.verdict.reasons:
            ui.label(reason).classes("muted")
        for note in result.bench.notes:
            ui.label(note).classes("small muted")


def _report(job: Job) -> None:
    with ui.row().classes("w-full items-center gap-3"):
        heading("The report")
        ui.link("Open it by itself", f"/reports/{job.id}", new_tab=True).classes("small")
    ui.element("iframe").props(f'src="/reports/{job.id}" sandbox="" title="The report"').classes("report")
