"""The command palette and the shortcuts of every page: what there is to go to and to do, found as it is typed.

The page's script (static/palette.js) draws it and asks here, through an element of the page, what fits the words.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from urllib.parse import quote

from nicegui import ElementFilter, events, ui

from chapeta.chat.search import search
from chapeta.chat.store import Chats
from chapeta.errors import ChapetaError
from chapeta.skills import library
from chapeta.storage.database import Database
from chapeta.web import choices, settings, theme
from chapeta.web.dialogs import opened_dialog
from chapeta.web.pages import PAGES
from chapeta.web.services import Services, thread

MARK = "palette"
CHATS, SKILLS, MODELS = 8, 6, 8  # lines of each kind, at most
RECENT = 5  # chats before anything was typed
LATEST = 300  # chats whose titles are looked through for pieces of words
LEAST_CHARS = 2  # of the words, before models are looked through

SHORTCUTS = (
    ("Ctrl K", "Go anywhere, or do something (on a Mac: ⌘ K)"),
    ("Ctrl Shift O", "New chat"),
    ("/", "Write a message; at its beginning: choose a Skill"),
    ("Enter", "Send the message"),
    ("Shift Enter", "New line in the message"),
    ("Esc", "Stop the answer"),
    ("?", "Show these shortcuts; while you write: Ctrl /"),
)
ACTS = {
    "write": "Write a message",
    "stop": "Stop the answer",
    "look": "Change between light and dark",
    "shortcuts": "Show the keyboard shortcuts",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the palette. It leads to a path of the app, or does one of ACTS."""

    kind: str
    title: str
    path: str = ""
    act: str = ""


NEW_CHAT = Item("Page", "New chat", "/")


def find(database: Database, words: str, acts: Collection[str]) -> list[Item]:
    """What has all the words in its title or kind. acts: those of ACTS that can be done now. Blocks.

    Without words, what is most likely wanted: a new chat, the latest ones, the pages, then what there is to do.
    """
    wanted = words.casefold().split()
    if not wanted:
        return [NEW_CHAT, *_chats(database, wanted), *_pages(), *_acts(acts)]
    fixed = [item for item in (NEW_CHAT, *_pages(), *_acts(acts)) if _fits(f"{item.kind} {item.title}", wanted)]
    found = [*fixed, *_chats(database, wanted)]
    if len(words.strip()) >= LEAST_CHARS:
        found += [*_skills(wanted), *_models(wanted)]
    return found


def _fits(text: str, wanted: list[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in wanted)


def _pages() -> Iterator[Item]:
    return (Item("Page", page.title, page.path) for page in PAGES if page.icon)


def _acts(acts: Collection[str]) -> Iterator[Item]:
    return (Item("Action", title, act=act) for act, title in ACTS.items() if act in acts)


def _chats(database: Database, wanted: list[str]) -> list[Item]:
    """The latest with these pieces of words in their titles; then older ones, which are found by whole words."""
    latest = Chats(database).page(limit=LATEST if wanted else RECENT)
    found = {chat.id: chat.title or "New chat" for chat in latest if _fits(chat.title, wanted)}
    if len(found) < CHATS and wanted:
        hits = search(database, " ".join(wanted), limit=CHATS)
        found |= {hit.chat_id: hit.title for hit in hits if hit.turn_id is None}
    return [Item("Chat", title, f"/chat/{id}") for id, title in list(found.items())[:CHATS]]


def _skills(wanted: list[str]) -> list[Item]:
    entries = [entry for entry in library.entries() if entry.enabled and entry.by_hand]
    fits = [entry for entry in entries if _fits(f"use skill /{entry.name}", wanted)]
    return [Item("Skill", f"Use Skill /{one.name}", f"/?skill={quote(one.name, safe='')}") for one in fits[:SKILLS]]


def _models(wanted: list[str]) -> list[Item]:
    words = " ".join(word for word in wanted if word not in ("use", "model"))
    listed = [choice for choice in choices.choices(words, limit=MODELS) if choice.about != "as typed" or "/" in words]
    return [Item("Model", f"Use model {one.id}", f"/?model={quote(one.id, safe='')}") for one in listed]


def offer(services: Services) -> None:
    """Puts the palette and the shortcuts on the page, once."""
    if any(True for _ in ElementFilter(marker=MARK)):
        return
    ui.run_javascript(f"import('{theme.ASSETS}/palette.js')")  # once the page is there: no page waits for it
    look = settings.read().look
    dark = ui.dark_mode(look == "dark") if look in ("light", "dark") else None

    async def asked(event: events.GenericEventArguments) -> None:
        told = event.args["detail"]
        try:
            found = await thread(find, services.database, str(told["words"])[:200], told["acts"])
        except ChapetaError as error:
            found = [Item("Problem", str(error))]
        lines = json.dumps([asdict(item) for item in found])
        ui.run_javascript(f"chapetaPalette.show({int(told['number'])}, {lines})")

    async def act(event: events.GenericEventArguments) -> None:
        nonlocal dark
        told = event.args["detail"]
        if told["act"] == "shortcuts":
            _show_shortcuts()
        elif told["act"] == "look":
            now = not told["dark"]
            with place:
                dark = dark or ui.dark_mode(now)
            dark.value = now
            await thread(settings.change, look="dark" if now else "light")

    place = ui.element("div").classes("hidden palette-place").mark(MARK)
    place.on("ask", asked, ["detail"]).on("act", act, ["detail"])


def list_shortcuts() -> None:
    """The shortcuts, as a table on the page that is being built."""
    with ui.element("dl").classes("shortcuts"):
        for keys, about in SHORTCUTS:
            with ui.element("dt"):
                for key in keys.split():
                    with ui.element("kbd"):
                        ui.label(key)
            with ui.element("dd"):
                ui.label(about)


def _show_shortcuts() -> None:
    with opened_dialog("Keyboard shortcuts", classes="gap-2") as dialog:
        list_shortcuts()
        ui.button("Close", on_click=dialog.close).props("flat no-caps autofocus").classes("self-end")
