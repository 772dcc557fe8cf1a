"""Models and keys: the providers and their keys, local models, and everything that can be called, searched."""

from __future__ import annotations

from dataclasses import dataclass

from nicegui import ui

from chapeta.engine import weights
from chapeta.errors import ChapetaError
from chapeta.gateway import keys
from chapeta.gateway.catalog import refresh
from chapeta.gateway.http.fetch import get_json
from chapeta.gateway.keys.check import KeyCheck, check
from chapeta.gateway.keys.secret import secret_of
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.remote import Remote
from chapeta.web import words
from chapeta.web.choices import choices
from chapeta.web.frame import frame, list_chats, say, title
from chapeta.web.services import Services, thread


@dataclass(frozen=True, slots=True)
class Line:
    """A provider as the page shows it. mask: of its key, "" if there is none; mine: an address of the user's own."""

    remote: Remote
    mask: str
    where: str
    mine: bool


async def show(services: Services) -> None:
    with frame("Models and keys", "/models"), ui.element("main").classes("page"):
        title(
            "Models and keys",
            "Your own keys, kept in this machine's keychain; they leave it only in calls to their provider.",
        )
        keys_place = ui.column().classes("w-full gap-2")
        await _draw_keys(keys_place)
        ui.html("<h2>On this machine</h2>", sanitize=False)
        for name in weights.MODELS:
            _local(name)
        ui.html("<h2>Everything you can call</h2>", sanitize=False)
        await _catalogue()
    await list_chats(services)


async def _draw_keys(place: ui.column) -> None:
    try:
        lines = await thread(_lines)
    except ChapetaError as error:
        say(error)
        return
    place.clear()

    async def again() -> None:
        await _draw_keys(place)

    with place:
        with ui.element("div").classes("card"), ui.element("table").classes("grid-table"), ui.element("tbody"):
            for line in lines:
                _provider(line, again)
        with ui.row().classes("gap-2"):
            ui.button("Add an address", icon="add", on_click=lambda: _add_address(again)).props("flat no-caps dense")
            ui.button("Fetch the lists of models anew", icon="refresh", on_click=_refresh).props("flat no-caps dense")


def _provider(line: Line, again: object) -> None:
    remote = line.remote
    with ui.element("tr"):
        with ui.element("td"):
            ui.label(remote.title).classes("text-weight-medium")
            if line.mine:
                ui.label(remote.base_url).classes("mono muted")
        with ui.element("td"):
            if line.mask:
                ui.label(line.mask).classes("mono")
                ui.label(line.where).classes("small muted")
            else:
                ui.label("no key needed" if not remote.needs_key else "no key").classes("muted")
        with ui.element("td").classes("num"), ui.row().classes("justify-end gap-1"):
            if remote.needs_key:
                ui.button("Change key" if line.mask else "Add key", on_click=lambda: _set_key(remote, again)).props(
                    "flat dense no-caps"
                )
            ui.button("Check", on_click=lambda: _check(remote)).props("flat dense no-caps").set_enabled(
                bool(line.mask) or not remote.needs_key
            )
            if line.mine or (line.mask and not line.where.startswith("environment")):
                ui.button(icon="delete_outline", on_click=lambda: _remove(line, again)).props(
                    f'flat dense round aria-label="Remove {remote.title}"'
                )


def _lines() -> list[Line]:
    remotes, own = addresses.remotes(), addresses.listed()
    known = {facts.name: facts for facts in keys.listed(remotes) if facts.in_use and not facts.problem}
    return [
        Line(remote, known[name].mask if name in known else "", known[name].where if name in known else "", name in own)
        for name, remote in remotes.items()
    ]


async def _set_key(remote: Remote, again) -> None:  # type: ignore[no-untyped-def]
    """Asks for a key, tries it at its provider, stores it. It cannot be read back from here."""
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 520px"):
        ui.label(f"Key of {remote.title}").classes("text-h6")
        if remote.key_page:
            ui.link("Make one on the provider's page", remote.key_page, new_tab=True)
        box = (
            ui.input("Paste it here")
            .props("outlined type=password autocomplete=off autofocus spellcheck=false")
            .classes("w-full")
        )
        told = ui.label("").classes("small")

        async def store(force: bool = False) -> None:
            try:
                secret = secret_of(box.value or "")
                told.text = f"Asking {remote.title} …"
                result = await thread(check, remote, secret)
                if result.state == "refused" and not force:
                    told.text = f"{remote.title} refuses this key ({result.reason}). Nothing was stored."
                    told.classes("bad")
                    return
                where = await thread(keys.store, remote.name, secret)
            except ChapetaError as error:
                told.text = str(error)
                told.classes("bad")
                return
            box.value = ""
            dialog.close()
            checked = "" if result.state == "ok" else f" It could not be checked: {result.reason}"
            ui.notify(f"Stored in {where}.{checked}", type="positive" if not checked else "warning", position="top")
            await again()

        box.on("keydown.enter", lambda: store())
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Check and store", on_click=lambda: store()).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


async def _check(remote: Remote) -> None:
    try:
        secret = await thread(keys.find, remote)
    except ChapetaError as error:
        say(error)
        return
    result: KeyCheck = await thread(check, remote, secret)
    if result.state == "ok":
        ui.notify(f"{remote.title}: {', '.join(result.lines) or 'good'}", type="positive", position="top")
    else:
        say(f"{remote.title}: {result.reason}")


async def _remove(line: Line, again) -> None:  # type: ignore[no-untyped-def]
    with ui.dialog() as dialog, ui.card():
        ui.label(
            f"Remove the key of {line.remote.title} from this machine?" if line.mask else f"Forget {line.remote.title}?"
        )
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps")
            ui.button("Remove", on_click=lambda: dialog.submit(True)).props("unelevated no-caps color=negative")
    sure = await dialog
    dialog.delete()
    if not sure:
        return
    try:
        if line.mask:
            await thread(keys.remove, line.remote.name)
        if line.mine:
            await thread(addresses.remove, line.remote.name)
    except ChapetaError as error:
        say(error)
    await again()


async def _add_address(again) -> None:  # type: ignore[no-untyped-def]
    """Any OpenAI-compatible server: Ollama, vLLM, LM Studio, llama.cpp, a company's own."""
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 520px"):
        ui.label("An OpenAI-compatible address").classes("text-h6")
        name = ui.input("Name", placeholder="my-server").props("outlined dense autofocus").classes("w-full")
        url = ui.input("Address", placeholder="http://127.0.0.1:11434/v1").props("outlined dense").classes("w-full")
        needs_key = ui.checkbox("It needs a key")

        async def add() -> None:
            try:
                address = await thread(
                    addresses.add, (name.value or "").strip(), (url.value or "").strip(), needs_key.value
                )
            except ChapetaError as error:
                say(error)
                return
            dialog.close()
            await again()
            remote = addresses.remote_of(address)
            await (_set_key(remote, again) if address.needs_key else _check(remote))

        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Add", on_click=add).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


async def _refresh() -> None:
    waiting = ui.notification("Fetching the providers' lists …", spinner=True, timeout=None, position="top")
    results = await thread(refresh, addresses.remotes(), keys, get_json)
    waiting.dismiss()
    new = [f"{result.provider}: {result.models}" for result in results if not result.reason]
    failed = [
        f"{result.provider}: {result.reason}"
        for result in results
        if result.reason and result.asked and result.provider != "embedded"
    ]
    ui.notify(
        "; ".join(new) or "Nothing new came.", type="positive" if new else "info", position="top", multi_line=True
    )
    for line in failed[:4]:
        ui.notify(line, type="warning", position="top")


def _local(name: str) -> None:
    source = weights.MODELS[name]
    with ui.element("div").classes("card"), ui.row().classes("items-center w-full"):
        with ui.column().classes("gap-0"):
            ui.label(name).classes("text-weight-medium")
            ui.label(source.about).classes("small muted")
        ui.element("div").classes("spread")
        state = ui.label("here" if weights.is_pulled(name) else f"{source.megabytes} MB to fetch").classes("muted")

        async def pull() -> None:
            button.disable()
            bar.set_visibility(True)
            said: list[str] = []
            look = ui.timer(0.3, lambda: state.set_text(said[-1] if said else "…"))
            try:
                await thread(weights.pull, name, said.append)
                state.text = "here"
            except ChapetaError as error:
                say(error)
            look.deactivate()
            state.text = "here" if weights.is_pulled(name) else "not fetched"
            bar.set_visibility(False)
            button.set_visibility(not weights.is_pulled(name))
            button.enable()

        button = ui.button("Fetch", on_click=pull).props("flat no-caps dense")
        button.set_visibility(not weights.is_pulled(name))
        bar = ui.linear_progress(show_value=False).props("indeterminate").classes("w-full")
        bar.set_visibility(False)


async def _catalogue() -> None:
    search = (
        ui.input(placeholder="Search by name or id")
        .props('outlined dense clearable aria-label="Search models"')
        .classes("w-full")
    )
    table = ui.element("div").classes("card").style("padding: 0; overflow-x: auto")

    async def draw() -> None:
        found = await thread(choices, search.value or "", limit=60)
        table.clear()
        with table, ui.element("table").classes("grid-table"):
            with ui.element("thead"), ui.element("tr"):
                for name, kind in (("Model", ""), ("Context", "num"), ("USD per million tokens", "num"), ("Takes", "")):
                    with ui.element("th").classes(kind):
                        ui.label(name)
            with ui.element("tbody"):
                for choice in found:
                    with ui.element("tr"):
                        with ui.element("td"):
                            ui.label(choice.id).style("overflow-wrap: anywhere")
                            ui.label(choice.about + ("" if choice.ready else " · needs a key")).classes("small muted")
                        with ui.element("td").classes("num"):
                            ui.label(words.tokens(choice.context_tokens) if choice.context_tokens else "")
                        with ui.element("td").classes("num"):
                            ui.label(words.price(choice.price))
                        with ui.element("td"):
                            ui.label(", ".join(choice.inputs)).classes("small muted")

    search.props("debounce=200").on_value_change(draw)
    await draw()
