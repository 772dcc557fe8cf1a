"""The rows of a dataset, a page at a time; and its preference pairs."""

from __future__ import annotations

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.examples.dataset_rows import Pair, Row
from chapeta.web.dataset.editing import ROLES, Editing, show_findings
from chapeta.web.frame import say
from chapeta.web.services import thread

ROWS, PAIRS = 25, 25


class Rows:
    """Rows with what can be done to them; a page stays where it is after each change."""

    def __init__(self, name: str) -> None:
        self._name, self._page = name, 1
        self._place = ui.column().classes("w-full gap-3")
        self._dialogs = ui.element("div")  # which outlive the rows that they are about

    async def show(self) -> None:
        try:
            page = await thread(datasets.page, self._name, ROWS * (self._page - 1), ROWS)
        except ChapetaError as error:
            self._place.clear()
            with self._place:
                ui.label(str(error)).classes("bad")
            return
        if not page.rows and self._page > 1:
            self._page -= 1
            await self.show()
            return
        self._place.clear()
        with self._place:
            ui.label(_counted(page)).classes("small muted")
            for row in page.rows:
                self._row(row)
            if page.total > ROWS:
                last = -(-page.total // ROWS)
                pages = ui.pagination(1, last, value=self._page, direction_links=True, on_change=self._go)
                pages.props("max-pages=6 boundary-numbers")

    def add(self) -> None:
        """A new row is written by hand; it comes last."""
        with self._dialogs:
            Editing(self._name, None, self.show)

    async def _go(self, event: object) -> None:
        self._page = int(getattr(event, "value", 1) or 1)
        await self.show()

    def _row(self, row: Row) -> None:
        with ui.element("article").classes("card").props(f'aria-label="Example {row.place + 1}"'):
            if row.fault:
                ui.label(f"Nothing can be learned from this row: {row.fault}").classes("bad")
                ui.label(row.text).classes("mono clip")
            else:
                for message in row.messages:
                    ui.label(ROLES.get(message.role, message.role)).classes("small muted")
                    ui.label(message.content).classes("clip")
                ui.label("Answer").classes("small muted")
                ui.label(row.answer).classes("clip").style("font-weight: 500")
                show_findings(row.messages, row.answer)
            with ui.row().classes("items-center gap-1"):
                if not row.fault:
                    ui.button("Edit", on_click=lambda: self._edit(row), color=None).props("flat dense no-caps")
                ui.button("Delete", on_click=lambda: self._delete(row), color=None).props("flat dense no-caps")
                ui.label(f"row {row.place + 1:,}").classes("small muted")
                if row.source:
                    ui.label(row.source).classes("small muted ellipsis").style("max-width: 40ch")

    def _edit(self, row: Row) -> None:
        with self._dialogs:
            Editing(self._name, row, self.show)

    async def _delete(self, row: Row) -> None:
        with self._place:
            try:
                await thread(datasets.delete_row, self._name, row.id, row.version)
            except ChapetaError as error:
                say(error)
        await self.show()


class Pairs:
    """The preference pairs, the first ones; nothing where there are none."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._place = ui.column().classes("w-full gap-3")

    async def show(self) -> None:
        try:
            total, pairs = await thread(datasets.pairs, self._name, 0, PAIRS)
        except ChapetaError:
            return  # the rows have said it
        self._place.clear()
        if not total:
            return
        with self._place, ui.expansion(f"Preferences: {total:,}").classes("w-full"):
            for pair in pairs:
                self._pair(pair)
            if total > len(pairs):
                ui.label(f"The first {len(pairs):,} of {total:,} are shown.").classes("small muted")

    def _pair(self, pair: Pair) -> None:
        with ui.element("article").classes("card q-mb-sm").props('aria-label="A preference"'):
            ui.label(pair.messages[-1].content).classes("muted clip")
            with ui.element("div").classes("sides"):
                for text, answer in (("preferred", pair.preferred), ("the other", pair.other)):
                    with ui.element("div"):
                        ui.label(text).classes("small muted")
                        ui.label(answer).classes("clip")
            ui.button("Delete", on_click=lambda: self._delete(pair), color=None).props("flat dense no-caps")

    async def _delete(self, pair: Pair) -> None:
        with self._place:
            try:
                await thread(datasets.remove_pair, self._name, pair.id)
            except ChapetaError as error:
                say(error)
        await self.show()


def _counted(page: datasets.Page) -> str:
    if not page.rows:
        return "No examples yet."
    return f"{page.start + 1:,} to {page.start + len(page.rows):,} of {page.total:,}"
