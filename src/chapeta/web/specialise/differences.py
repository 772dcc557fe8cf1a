"""The test rows on which candidates differ, side by side, a page at a time. All of it is text, whatever it looks like."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from chapeta.bench.disagreements import Disagreement
from chapeta.errors import ChapetaError
from chapeta.jobs.found import differences
from chapeta.web.frame import heading
from chapeta.web.services import thread

ROWS = 5


class Differences:
    """The rows of a run's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._start = folder, 0
        self._place = ui.column().classes("w-full gap-2")

    async def show(self, start: int = 0) -> None:
        try:
            total, rows = await thread(differences, self._folder, start, ROWS)
        except (ChapetaError, ValueError, KeyError) as error:
            total, rows, problem = 0, [], str(error)
        else:
            problem = "" if total else "All candidates gave the same answers."
        self._place.clear()
        with self._place:
            heading("Where they differ")
            if problem:
                ui.label(problem).classes("muted")
                return
            for row in rows:
                _row(row)
            self._pages(start, len(rows), total)

    def _pages(self, start: int, shown: int, total: int) -> None:
        with ui.row().classes("items-center gap-2"):
            before = ui.button("Before", on_click=lambda: self._go(start - ROWS), color=None).props(
                "flat no-caps dense"
            )
            before.set_enabled(start > 0)
            ui.label(f"{start + 1:,} to {start + shown:,} of {total:,}").classes("small muted")
            after = ui.button("Next", on_click=lambda: self._go(start + ROWS), color=None).props("flat no-caps dense")
            after.set_enabled(start + shown < total)

    async def _go(self, start: int) -> None:
        with self._place.parent_slot.parent if self._place.parent_slot else self._place:
            await self.show(max(0, start))


def _row(row: Disagreement) -> None:
    with ui.element("article").classes("card").props('aria-label="A row on which candidates differ"'):
        ui.label(row.question).classes("clip")
        ui.label(f"Expected: {row.expected}").classes("text-weight-medium clip")
        with ui.element("div").classes("sides"):
            for said in row.answers:
                with ui.element("div"):
                    with ui.row().classes("items-center gap-1 no-wrap"):
                        right = said.score >= 1
                        ui.icon("check" if right else "close").classes("good" if right else "bad")
                        ui.label(said.candidate).classes("small muted")
                        ui.label("right" if right else f"{said.score:.0%} right" if said.score else "wrong").classes(
                            "small muted"
                        )
                    ui.label(said.text or "no answer").classes("clip")
