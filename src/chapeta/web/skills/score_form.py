"""What a score is asked with: the dataset, the model, which versions; and what that would take, said before it begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from chapeta import config
from chapeta.bench.answers import AnswerStore
from chapeta.engine.weights import is_local
from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.gateway.door import Gateway
from chapeta.jobs import Job, submit
from chapeta.jobs.command import score_arguments
from chapeta.skills import library
from chapeta.stages import score_skill
from chapeta.stages.estimate import Estimate
from chapeta.web import settings
from chapeta.web.choices import choices
from chapeta.web.services import thread

KIND = "score-skill"
NEWEST = 5
SPANS = {1: "the newest version", NEWEST: f"the newest {NEWEST} versions", 0: "all versions"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be scored. newest: how many versions, 0 for all."""

    name: str
    dataset: str
    model: str
    newest: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What a score would take: rows and versions, and what providers bill."""

    rows: int
    versions: int
    price: Estimate

    def __str__(self) -> str:
        versions = "1 version" if self.versions == 1 else f"{self.versions} versions"
        return f"{self.rows:,} rows × {versions}: {self.price if self.price.calls else 'it costs nothing'}."


def plan(asked: Asked) -> Planned:
    """What it would take, before anything is asked. Raises ChapetaError where it cannot be done. Blocks."""
    which = score_skill.chosen(asked.name, numbers(asked))
    with Gateway() as gateway, AnswerStore(config.home() / "answers.sqlite") as store:
        if is_local(gateway.candidate(asked.model).model):  # to count as it does, it would have to be loaded
            return Planned(len(score_skill.held_back(asked.dataset).test), len(which), Estimate(0, 0.0, ()))
        measure = score_skill.measure_for(asked.dataset, asked.model, gateway)
        price = score_skill.price(asked.name, which, measure, gateway, store)
    return Planned(len(measure.rows), len(which), price)


def begin(asked: Asked) -> Job:
    """Puts it into the queue. Raises ChapetaError. Blocks."""
    return submit(KIND, score_arguments(asked.name, asked.dataset, asked.model, numbers(asked)))


def numbers(asked: Asked) -> tuple[int, ...]:
    """The numbers of the newest versions."""
    known = library.versions(asked.name)
    return tuple(version.number for version in (known[-asked.newest :] if asked.newest else known))


class Form:
    """The form on a page. begun: gets the job. Whoever presses Score where it costs something is told first."""

    def __init__(self, name: str, begun: Callable[[Job], Awaitable[None]]) -> None:
        self._name, self._begun = name, begun
        self._agreed: Asked | None = None
        self._place = ui.column().classes("w-full gap-2")

    async def draw(self) -> None:
        names = [one.name for one in await thread(datasets.listed) if one.rows]
        known = [choice.id for choice in await thread(choices, limit=30)]
        with self._place:
            if not names:
                with ui.row().classes("items-center gap-1"):
                    ui.label("It takes a dataset with 10 examples or more.").classes("muted")
                    ui.link("Collect or drop some", "/examples")
                return
            with ui.row().classes("w-full gap-2 items-start"):
                self._dataset = ui.select(names, label="Dataset", value=names[0])
                self._model = ui.input("Model", value=settings.read().model, autocomplete=known)
                self._span = ui.select(SPANS, label="Which", value=1)
                for box in (self._dataset, self._model, self._span):
                    box.props("outlined dense").style("flex: 1 1 180px")
            self._told = ui.label("").classes("small").props("role=status")
            with ui.row().classes("gap-2"):
                ui.button("Score", icon="play_arrow", on_click=self._score).props("unelevated no-caps dense")
                ui.button("What would it take?", on_click=self._plan).props("flat no-caps dense")

    def _asked(self) -> Asked:
        model = (self._model.value or "").strip() or settings.read().model
        return Asked(self._name, str(self._dataset.value), model, int(self._span.value or 0))

    async def _plan(self) -> Planned | None:
        self._say("Looking …", "muted")
        try:
            found = await thread(plan, self._asked())
        except ChapetaError as error:
            self._say(str(error), "bad")
            return None
        self._say(str(found))
        return found

    async def _score(self) -> None:
        asked = self._asked()
        found = await self._plan()
        if found is None:
            return
        if found.price.calls and self._agreed != asked:
            self._agreed = asked
            self._say(f"{found} Press Score once more to agree.", "warn")
            return
        self._agreed = None
        try:
            job = await thread(begin, asked)
        except ChapetaError as error:
            self._say(str(error), "bad")
            return
        self._say("")
        await self._begun(job)

    def _say(self, text: str, kind: str = "") -> None:
        self._told.classes(replace=f"small {kind}").set_text(text)
