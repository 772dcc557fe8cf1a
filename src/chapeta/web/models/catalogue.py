"""Everything that can be called: searched, filtered, ordered, with the details of each."""

from __future__ import annotations

import contextlib
from functools import partial

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.gateway.catalog.search import Wanted
from chapeta.gateway.providers import addresses
from chapeta.types import ModelInfo
from chapeta.web import words
from chapeta.web.frame import heading
from chapeta.web.models.details import open_details
from chapeta.web.models.listing import Listing, listing
from chapeta.web.models.providers import fetch_lists
from chapeta.web.services import thread

STEP = 50
SORTS = {"name": "by name", "price": "cheapest first", "context": "largest context first", "created": "newest first"}
CONTEXTS = {
    0: "any context",
    32_000: "32k and more",
    128_000: "128k and more",
    200_000: "200k and more",
    1_000_000: "1M and more",
}
KINDS = {
    "": "any kind",
    "image": "images",
    "audio": "audio",
    "file": "files",
    "video": "video",
    "embeddings": "embeddings",
}
CAN = {
    "": "any ability",
    "tools": "calls tools",
    "response_format": "answers in a schema",
    "reasoning": "thinks first",
}


class Catalogue:
    """The list on a page with its filters."""

    def __init__(self) -> None:
        heading("Everything you can call", "llm")
        look = "outlined dense options-dense"
        self._search = ui.input(placeholder="Search by name or id").classes("w-full")
        self._search.props('outlined dense clearable debounce=200 aria-label="Search models"')
        with ui.element("div").classes("filters"):
            self._provider = ui.select({"": "all providers"}, value="").props(f'{look} aria-label="Provider"')
            self._kind = ui.select(KINDS, value="").props(f'{look} aria-label="What it takes or gives"')
            self._context = ui.select(CONTEXTS, value=0).props(f'{look} aria-label="Context"')
            self._can = ui.select(CAN, value="").props(f'{look} aria-label="What it can do"')
            self._usd = ui.number("USD per M out", min=0).props("outlined dense clearable debounce=300")
            self._sort = ui.select(SORTS, value="name").props(f'{look} aria-label="Order"')
        with ui.row().classes("gap-3"):
            self._ready = ui.checkbox("only those I can ask now")
            self._free = ui.checkbox("free")
            self._retired = ui.checkbox("retired ones, too")
        self._told = ui.label("").classes("small muted").props("role=status")
        self._table = ui.element("div").classes("card").style("padding: 0; overflow-x: auto")
        self._more = ui.button("Show more", on_click=self._show_more).props("flat no-caps dense")
        ui.button("Fetch all lists anew", icon="refresh", on_click=self._refresh).props("flat no-caps dense").classes(
            "self-start"
        )
        self._shown = STEP
        self._asked = 0
        for one in (self._search, self._provider, self._kind, self._context, self._can, self._usd, self._sort):
            one.on_value_change(self._from_start)
        for box in (self._ready, self._free, self._retired):
            box.on_value_change(self._from_start)

    async def draw(self) -> None:
        self._asked += 1
        number = self._asked
        try:
            found = await thread(listing, self._wanted(), str(self._sort.value), bool(self._ready.value))
        except ChapetaError as error:
            self._told.text = str(error)
            return
        if number == self._asked:  # nothing else was asked for meanwhile
            self._draw(found)

    async def renew(self) -> None:
        """Draws it with the providers there are now; again after one was added, or got a key."""
        with contextlib.suppress(ChapetaError):  # which the list of providers says
            names = sorted(await thread(addresses.remotes))
            self._provider.set_options({"": "all providers", **{name: name for name in names}})
        await self.draw()

    def _wanted(self) -> Wanted:
        return Wanted(
            words=tuple((self._search.value or "").split()), provider=str(self._provider.value or ""),
            modality=str(self._kind.value or ""), parameter=str(self._can.value or ""), free=bool(self._free.value),
            max_usd_per_mtok=self._usd.value, min_context_tokens=int(self._context.value or 0),
            retired=bool(self._retired.value),
        )  # fmt: skip

    async def _from_start(self) -> None:
        self._shown = STEP
        await self.draw()

    async def _show_more(self) -> None:
        self._shown += 4 * STEP
        await self.draw()

    async def _refresh(self) -> None:
        with self._table:
            await fetch_lists(await thread(addresses.remotes))
        await self.draw()

    def _draw(self, found: Listing) -> None:
        count = len(found.lines)
        fit = f"{count:,} of {found.total:,} known models fit" if count else "No known model fits"
        typed = (self._search.value or "").strip()
        self._told.text = f"{fit}. Any other id of a provider works, too."
        for problem in found.problems:
            self._told.text += f" {problem}"
        self._more.set_visibility(count > self._shown)
        self._table.clear()
        with self._table, ui.element("table").classes("grid-table"):
            with ui.element("thead"), ui.element("tr"):
                for name, kind in (
                    ("Model", ""),
                    ("Context", "num"),
                    ("USD per M tokens", "num"),
                    ("Takes", "wide-only"),
                ):
                    with ui.element("th").classes(kind).props("scope=col"):
                        ui.label(name)
            with ui.element("tbody"):
                for line in found.lines[: self._shown]:
                    _line(line, line.provider in found.ready)
                if not count and typed and " " not in typed:
                    _typed(typed)


def _line(line: ModelInfo, is_ready: bool) -> None:
    with ui.element("tr"):
        with ui.element("td").style("min-width: 150px"):
            _name(line.id)
            about = [line.name, "" if is_ready else "needs a key", f"retires {line.retires}" if line.retires else ""]
            ui.label(" · ".join(part for part in about if part)).classes("small muted")
        with ui.element("td").classes("num"):
            ui.label(words.tokens(line.context_tokens) if line.context_tokens else "")
        with ui.element("td").classes("num"):
            ui.label(words.price(line.price))
        with ui.element("td").classes("wide-only"):
            ui.label(", ".join(line.inputs)).classes("small muted")


def _typed(model: str) -> None:
    """An id that nobody lists, as it was typed."""
    with ui.element("tr"), ui.element("td").props("colspan=4"):
        _name(model)
        ui.label("as typed").classes("small muted")


def _name(model: str) -> None:
    ui.button(model, on_click=partial(open_details, model), color=None).props("flat dense no-caps align=left").classes(
        "model-name"
    )
