"""The candidates of a run with their figures; each can be given a name that answers, in Chat and everywhere else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from nicegui import ui

from chapeta.bench.results import CandidateResult, Estimate
from chapeta.errors import ChapetaError
from chapeta.jobs import Job
from chapeta.jobs.found import Found, deployed
from chapeta.web import words
from chapeta.web.ask import ask
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import say
from chapeta.web.labels import labelled
from chapeta.web.services import thread
from chapeta.web.specialise.choice import ABOUT


def _deploy(folder: Path, candidate: str, name: str) -> str:
    """In a thread, as what it needs is large."""
    from chapeta.specialize import deploy_candidate
    from chapeta.stages.run import Run

    return deploy_candidate(Run.open(str(folder)), candidate, name)


class Deploying:
    """The table; the verdict's choice comes first, then by score."""

    def __init__(self, job: Job, result: Found) -> None:
        self._job, self._result = job, result
        self._place = ui.element("div").classes("card wide").style("padding: 0")
        self._dialogs = ui.element("div")  # which outlive the lines that they are about

    async def show(self) -> None:
        names = await thread(deployed, self._job.run)
        use = self._result.verdict.use
        ranked = sorted(self._result.bench.candidates, key=lambda one: (one.name != use, -one.score.value))
        self._place.clear()
        with self._place, ui.element("table").classes("grid-table").props("aria-label=Candidates"):
            with ui.element("thead"), ui.element("tr"):
                _head("Candidate", "candidate")
                _head(self._result.bench.metric, "confidence-interval", "num")
                _head("1,000 calls", "", "num")
                _head("Half within", "latency", "num")
                _head("General ability", "flexibility", "num")
            with ui.element("tbody"):
                for one in ranked:
                    self._line(one, names.get(one.name, []))

    def _line(self, one: CandidateResult, names: list[str]) -> None:
        is_chosen = one.name == self._result.verdict.use
        with ui.element("tr").classes("chosen" if is_chosen else ""):
            with ui.element("td"):
                ui.label(one.name).classes("text-weight-medium")
                ui.label(ABOUT.get(one.name, "")).classes("small muted")
                with ui.row().classes("items-center gap-3"):
                    for name in names:
                        ui.link(f"Talk to {name}", f"/?model={quote(name, safe='')}")
                    self._deploy_button(one.name, is_chosen and not names)
            _figures(one)

    def _deploy_button(self, candidate: str, stands_out: bool) -> None:
        button = ui.button("Deploy", on_click=lambda: self._ask(candidate), color="primary" if stands_out else None)
        labelled(button, f"Deploy {candidate}").props(
            f"{'unelevated' if stands_out else 'outline'} no-caps dense size=sm"
        )

    def _ask(self, candidate: str) -> None:
        """Asks for the name under which it is to answer."""
        run = self._job.run.name
        offered = run if candidate == self._result.verdict.use else f"{run}-{candidate.replace('+', '-')}"
        with self._dialogs, opened_dialog(f"Deploy {candidate}", 440, term="deployment") as dialog:
            ui.label("It answers under this name in Chat, in `chapeta ask` and `chapeta serve`.").classes("small muted")
            name = ui.input("Name", value=offered).props("outlined dense autofocus").classes("w-full")
            problem = ui.label().classes("small bad").props("role=alert")

            async def deploy() -> None:
                try:
                    made = await thread(_deploy, self._job.run, candidate, (name.value or "").strip())
                except ChapetaError as error:
                    problem.set_text(str(error))
                    return
                dialog.close()
                say(f"{made} answers now.", "positive")
                await self.show()

            name.on("keydown.enter", deploy)
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=dialog.close, color=None).props("flat no-caps")
                ui.button("Deploy", on_click=deploy).props("unelevated no-caps")


def _head(text: str, term: str, kind: str = "") -> None:
    with ui.element("th").classes(kind), ui.row().classes("items-center gap-0 no-wrap inline-flex"):
        ui.label(text)
        if term:
            ask(term)


def _figures(one: CandidateResult) -> None:
    with ui.element("td").classes("num"):
        ui.label(f"{one.score.value:.1%}")
        ui.label(f"{one.score.low:.1%} to {one.score.high:.1%}").classes("small muted")
    with ui.element("td").classes("num"):
        ui.label(words.usd(one.usd_per_1000_calls))
        ui.label(f"{one.tokens_in:,.0f} + {one.tokens_out:,.0f} tokens each").classes("small muted")
    with ui.element("td").classes("num"):
        ui.label(words.seconds(one.latency_p50_ms))
        ui.label(f"95 % within {words.seconds(one.latency_p95_ms)}").classes("small muted")
    with ui.element("td").classes("num"):
        ui.label(_points(one.flexibility))


def _points(change: Estimate | None) -> str:
    return "unchanged" if change is None else f"{100 * change.value:+.1f} points"
