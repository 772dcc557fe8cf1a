"""The way to a run: a file or a dataset is given, what was read is shown, candidates are chosen, and it begins."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import events, ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.files import passing
from chapeta.jobs import specialize_arguments, submit
from chapeta.jobs.dropped import keep, name_of, run_name
from chapeta.jobs.planned import Looked
from chapeta.progress import Progress
from chapeta.stages.run import Settings
from chapeta.web.frame import say
from chapeta.web.services import slow, thread
from chapeta.web.specialise import candidates, reading
from chapeta.web.specialise.choice import Choice
from chapeta.web.specialise.more import more_choices

MOST_UPLOAD_BYTES = 500_000_000
LOOK_S = 0.3


class Stage(Progress):
    """Remembers what reading is at; written by the thread that reads, shown by the page."""

    def __init__(self) -> None:
        self.title = ""
        self.share: float | None = None

    def stage(self, title: str) -> None:
        self.title, self.share = title, None

    def advance(self, done: float, total: float, note: str = "") -> None:  # noqa: ARG002 - what is at work is enough
        self.share = done / total if total else None


def _look(settings: Settings, stage: Stage) -> Looked:
    """In a thread: what the figures need is large, and loading it would hold up every page."""
    from chapeta.jobs.plan import look

    return look(settings, stage)


class Begin:
    """The card with which every run begins. names: of the datasets that there are."""

    def __init__(self, names: Sequence[str]) -> None:
        self._choice = Choice()
        self._looked: Looked | None = None
        self._turn = 0  # of reading: what an earlier one found is no longer asked for
        with ui.element("div").classes("card"), ui.column().classes("w-full gap-3"):
            with ui.row().classes("w-full items-stretch gap-3 give"):
                self._upload()
                self._datasets: ui.select | None = None
                if names:
                    self._datasets = ui.select(list(names), label="Or pick a dataset", on_change=self._picked)
                    self._datasets.props("outlined clearable").style("flex: 1 1 220px")
            self._read = ui.column().classes("w-full gap-2")
            self._chosen = ui.column().classes("w-full gap-3")

    def pick(self, name: str) -> None:
        """As if the user had picked this dataset."""
        if self._datasets is not None:
            self._datasets.set_value(name)

    async def take(self, source: str) -> None:
        """Reads a file that is on this machine's disk."""
        self._choice.source = source
        self._choice.name = await thread(run_name, source)
        await self._look()

    def _upload(self) -> None:
        self._drop = ui.upload(
            label="Drop a file here: CSV, JSONL, Parquet, ShareGPT, Alpaca …", on_upload=self._dropped, auto_upload=True,
            max_file_size=MOST_UPLOAD_BYTES, on_rejected=lambda: say("That file is larger than 500 MB."),
        ).props('flat bordered aria-label="A file of examples"').style("flex: 3 1 300px; width: auto")  # fmt: skip

    async def _dropped(self, given: events.UploadEventArguments) -> None:
        with self._read:
            with passing() as folder:
                file = folder / "given"
                await given.file.save(file)
                try:
                    kept = await slow(keep, file, given.file.name)
                except ChapetaError as error:
                    reading.refused(self._read, error)
                    return
            self._drop.reset()
            await self.take(str(kept))

    async def _picked(self, given: events.ValueChangeEventArguments[str | None]) -> None:
        if given.value:
            await self.take(str(datasets.path_of(given.value)))

    async def _look(self) -> None:
        """Reads the file, saying how far it is, and shows what was read and what to choose from."""
        self._turn += 1
        turn, stage = self._turn, Stage()
        self._chosen.clear()
        with reading.waiting(self._read, stage, LOOK_S):
            try:
                looked = await slow(_look, self._choice.everything(), stage)
            except ChapetaError as error:
                looked, problem = None, error
        if turn != self._turn or self._read.is_deleted:
            return
        self._looked = looked
        if looked is None:
            reading.refused(self._read, problem, self._choice.source, name_of(self._choice.source))
        else:
            reading.shown(self._read, looked, name_of(self._choice.source))
        with self._chosen:
            if looked is not None and not looked.problem:
                await candidates.show(self._choice, looked, self._begin)
            more_choices(self._choice, self._look, opened=looked is None)

    async def _begin(self) -> None:
        try:
            job = await thread(submit, "specialize", specialize_arguments(self._choice.settings(), agreed=True))
        except ChapetaError as error:
            say(error)
            return
        ui.navigate.to(f"/specialise/{job.id}")
