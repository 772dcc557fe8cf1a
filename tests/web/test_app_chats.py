"""The page of all chats, a chat's menu and the side, in a real browser: found, put in order, brought in, exported, back."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from apps import SAYING, App
from browser import Page
from playwright.sync_api import Locator, expect

from chapeta.chat.store import Chats
from chapeta.storage.database import open_database
from chat.imports.sample_exports import chatgpt, png, rome, said, write_zip

ROW = ".chat-row"
SIDE = ".side-chats .chat-line"


@pytest.fixture
def made(blank: App) -> dict[str, str]:
    """Chats with a question and an answer each, the last one the newest; their ids by title."""
    ids: dict[str, str] = {}
    with open_database() as database:
        chats = Chats(database)
        for title in ("Old parcel", "Trip to Oslo", "<b>Soup</b>", "Verbs"):
            chat = chats.create(title=title, model="mine/small")
            asked = chats.add(chat.id, None, "user", f"Tell me about {title}.")
            answer = chats.add(chat.id, asked.id, "assistant", f"All about {title}.", model="mine/small")
            chats.update(answer.id, call_id="c", tokens_in=12, tokens_out=5, usd=0.25)
            ids[title] = chat.id
        chats.change(ids["Old parcel"], pinned=True, folder="Post", tags=["late"])
    return ids


@pytest.fixture
def app(blank: App, made: dict[str, str]) -> App:
    """The app of this file, with some chats in it."""
    return blank


def titles(page: Page) -> Locator:
    return page.it.locator(f"{ROW} .chat-row-text .inline")


def choose(page: Page, *names: str) -> None:
    for name in names:
        page.it.get_by_label(f"Choose {name}").click()
    expect(page.it.get_by_text(f"{len(names)} chosen")).to_be_visible()


def press(page: Page, name: str) -> None:
    page.it.get_by_role("button", name=name, exact=True).click()


def downloaded(page: Page, click: Locator) -> tuple[str, bytes]:
    with page.it.expect_download() as waiting:
        click.click()
    expect(page.it.get_by_role("menu")).to_have_count(0)  # it fades
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def chat(chat_id: str) -> Any:
    with open_database() as database:
        return Chats(database).get(chat_id)


def test_pinned_ones_come_first_in_the_list_and_in_the_side(app: App, page: Page) -> None:
    page.it.goto(app.url + "/chats")
    expect(titles(page)).to_have_text(["Old parcel", "Verbs", "<b>Soup</b>", "Trip to Oslo"])
    expect(page.it.locator(f"{SIDE} .inline")).to_have_text(["Old parcel", "Verbs", "<b>Soup</b>", "Trip to Oslo"])
    expect(page.it.locator(ROW).first).to_contain_text("Post · #late · mine/small")
    expect(page.it.locator(f"{ROW} [aria-label=Pinned]")).to_have_count(1)
    expect(page.it.locator(f"{SIDE} [aria-label=Pinned]")).to_have_count(1)
    page.shot("chats")


def test_filters_stand_in_the_address(app: App, page: Page) -> None:
    page.it.goto(app.url + "/chats")
    press(page, "Pinned")
    expect(titles(page)).to_have_text(["Old parcel"])
    press(page, "All")
    expect(titles(page)).to_have_count(4)
    page.it.get_by_role("combobox", name="Folder").click()
    page.it.get_by_role("option", name="In no folder").click()
    expect(titles(page)).to_have_text(["Verbs", "<b>Soup</b>", "Trip to Oslo"])
    expect(page.it).to_have_url(app.url + "/chats?folder=")
    page.it.reload()
    expect(titles(page)).to_have_count(3)
    page.it.goto(app.url + "/chats?tag=late")
    expect(titles(page)).to_have_text(["Old parcel"])
    page.it.get_by_label("Folders").click()
    page.it.get_by_text("Post (1)").click()
    page.it.wait_for_url("**/chats?folder=Post")
    expect(titles(page)).to_have_text(["Old parcel"])


def test_filters_hold_while_searching(app: App, page: Page) -> None:
    hits = page.it.locator("a.term .text-weight-medium")
    page.it.goto(app.url + "/chats?q=about")
    expect(hits).to_have_count(8)
    press(page, "Pinned")
    expect(hits).to_have_text(["Old parcel", "Old parcel"])
    expect(page.it).to_have_url(app.url + "/chats?q=about&kind=pinned")
    page.shot("chats-search-pinned")
    press(page, "Deleted")
    expect(page.it.get_by_text("No chat that fits these filters has all the words of “about”.")).to_be_visible()
    page.it.goto(app.url + "/chats?folder=Post")
    page.it.get_by_label("Search chats").fill("verbs")
    expect(page.it.get_by_text("No chat that fits these filters")).to_be_visible()
    page.it.goto(app.url + "/chats")
    choose(page, "Verbs")
    press(page, "Delete")
    expect(titles(page)).to_have_count(3)
    page.it.goto(app.url + "/chats?q=verbs&kind=deleted")
    expect(page.it.locator("div.term")).to_have_count(3)  # its title and both messages
    expect(page.it.get_by_text("These chats are deleted.")).to_be_visible()
    expect(hits).to_have_count(0)  # what is deleted cannot be opened


def test_several_are_moved_and_tagged_together(app: App, page: Page, made: dict[str, str]) -> None:
    page.it.goto(app.url + "/chats")
    choose(page, "Verbs", "Trip to Oslo")
    press(page, "Folder…")
    page.it.get_by_role("textbox", name="Folder").fill("Learning")
    press(page, "Move")
    expect(page.it.locator(ROW, has_text="Learning · mine/small")).to_have_count(2)
    press(page, "Tags…")
    page.it.get_by_role("dialog").get_by_text("late").click()
    page.it.get_by_label("New tags").fill("one, #two")
    press(page, "Save")
    expect(page.it.locator(ROW, has_text="Learning · #late #one #two · mine/small")).to_have_count(2)
    press(page, "Pin")
    expect(page.it.locator(f"{ROW} [aria-label=Pinned]")).to_have_count(3)
    expect(page.it.locator(f"{SIDE} [aria-label=Pinned]")).to_have_count(3)
    found = chat(made["Trip to Oslo"])
    assert (found.folder, found.tags, found.pinned) == ("Learning", ("late", "one", "two"), True)
    press(page, "Choose none")
    expect(page.it.get_by_text("2 chosen")).to_be_hidden()


def test_deleted_ones_are_brought_back_at_once_or_later(app: App, page: Page) -> None:
    page.it.goto(app.url + "/chats")
    choose(page, "Verbs", "Old parcel")
    press(page, "Delete")
    expect(titles(page)).to_have_text(["<b>Soup</b>", "Trip to Oslo"])
    press(page, "Undo")
    expect(titles(page)).to_have_text(["Old parcel", "Verbs", "<b>Soup</b>", "Trip to Oslo"])
    choose(page, "Verbs")
    press(page, "Delete")
    expect(titles(page)).to_have_count(3)
    page.it.goto(app.url + "/chats?kind=deleted")
    expect(titles(page)).to_have_text(["Verbs"])
    expect(page.it.locator(f"{ROW} a")).to_have_count(0)
    choose(page, "Verbs")
    press(page, "Bring back")
    expect(page.it.get_by_text("No deleted chats.")).to_be_visible()
    expect(page.it.locator(SIDE, has_text="Verbs")).to_be_visible()


def test_what_is_chosen_is_exported(app: App, page: Page, tmp_path: Path) -> None:
    page.it.goto(app.url + "/chats")
    choose(page, "Verbs", "<b>Soup</b>")
    press(page, "Export")
    name, data = downloaded(page, page.it.get_by_role("menuitem", name="Markdown"))
    assert name == "chats.zip"
    (tmp_path / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / name) as archive:
        texts = [archive.read(one).decode() for one in archive.namelist()]
    assert [text.count("All about ") for text in texts] == [1, 1] and "# Verbs" in texts[0]
    press(page, "Export all")
    name, data = downloaded(page, page.it.get_by_role("menuitem", name="OpenAI JSONL"))
    rows = [json.loads(line) for line in data.splitlines()]
    assert name == "chats.jsonl" and len(rows) == 4
    assert rows[0]["messages"][1] == {"role": "assistant", "content": "All about Verbs."}


def test_a_chats_menu_renames_moves_exports_and_deletes_with_a_way_back(
    app: App, page: Page, made: dict[str, str]
) -> None:
    page.it.set_viewport_size({"width": 390, "height": 800})
    page.it.goto(f"{app.url}/chat/{made['Verbs']}")
    expect(page.it.locator(SAYING)).to_contain_text("All about Verbs.")
    menu(page, "Rename")
    page.it.get_by_role("textbox", name="Title").fill("Spanish verbs")
    page.it.keyboard.press("Enter")
    expect(page.it.locator(SIDE, has_text="Spanish verbs")).to_be_attached()
    menu(page, "Folder…")
    page.it.get_by_role("dialog").get_by_role("button", name="Post").click()
    press(page, "Move")
    expect(page.it.get_by_role("dialog")).to_have_count(0)
    menu(page, "Pin")
    expect(page.it.locator(SIDE, has_text="Spanish verbs").get_by_label("Pinned")).to_be_attached()
    page.it.get_by_label("More", exact=True).click()
    name, data = downloaded(page, page.it.get_by_role("menuitem", name="Export as Markdown"))
    assert name.startswith("spanish-verbs-") and name.endswith(".md") and b'folder: "Post"' in data
    page.it.get_by_label("More", exact=True).click()
    _, data = downloaded(page, page.it.get_by_role("menuitem", name="Export as JSON", exact=True))
    assert json.loads(data)[0]["chat"]["id"] == made["Verbs"]
    menu(page, "Delete")
    expect(page.it.get_by_text("What are you working on?")).to_be_visible()
    expect(page.it.locator(SIDE, has_text="Spanish verbs")).to_have_count(0)
    page.shot("chat-deleted")
    press(page, "Undo")
    page.it.wait_for_url(f"**/chat/{made['Verbs']}")
    expect(page.it.locator(SAYING)).to_contain_text("All about Verbs.")


def menu(page: Page, name: str) -> None:
    page.it.get_by_label("More", exact=True).click()
    page.it.get_by_role("menuitem", name=name).click()
    expect(page.it.get_by_role("menu")).to_have_count(0)


def test_the_head_tells_the_chats_cost_and_that_of_today(app: App, page: Page, made: dict[str, str]) -> None:
    page.it.goto(f"{app.url}/chat/{made['Verbs']}")
    page.it.locator(".talk-head").get_by_text("$0.250").hover()
    expect(page.it.get_by_text("This chat: $0.250, 12 tokens in, 5 out")).to_be_visible()
    expect(page.it.get_by_text("All chats today (UTC): $1.00, 48 tokens in, 20 out")).to_be_visible()


def test_an_export_of_chatgpt_comes_over_and_is_found(app: App, page: Page, tmp_path: Path) -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-abc"}
    dot = chatgpt(
        {
            "root": (None, None),
            "q": ("root", said("user", picture, "What is it?", at=1, kind="multimodal_text")),
            "a": ("q", said("assistant", "A vermilion dot.", at=2)),
        },
        "a", "Dot",
    )  # fmt: skip
    export = write_zip(
        tmp_path / "chatgpt.zip",
        {"conversations-000.json": [rome()], "conversations-001.json": [dot], "file-abc-dot.png": png(),
         "user.json": {"id": "user-1"}},
    )  # fmt: skip
    page.it.goto(app.url + "/chats")
    press(page, "Import")
    page.it.get_by_label("Put new chats into the folder").fill("From ChatGPT")
    page.it.locator("input[type=file]").set_input_files(export)
    report = page.it.get_by_label("Import", exact=True).and_(page.it.locator("section"))
    expect(report.get_by_text("This came over")).to_be_visible()
    expect(report.locator(".figure")).to_have_text(["2new chats", "8messages", "1images and files"])
    report.get_by_text("1 × holds no chat").click()
    expect(report.get_by_text("user.json")).to_be_visible()
    expect(titles(page)).to_have_count(6)
    page.shot("chats-import")
    page.it.locator("input[type=file]").set_input_files(export)
    expect(report.get_by_text("Nothing new came over")).to_be_visible()
    expect(report.locator(".figure").last).to_have_text("2chats that were here already")
    page.it.get_by_label("Search chats").fill("vermilion")
    page.it.get_by_role("link", name="A vermilion dot.").click()
    expect(page.it.locator(SAYING)).to_contain_text("A vermilion dot.")


def test_a_truncated_export_and_what_is_none_are_told_in_place(app: App, page: Page, tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "whole.zip", {"conversations.json": [rome()], "z.json": [rome("Other")] * 50})
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-200])
    (tmp_path / "notes.txt").write_text("Dear diary")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(60))
    page.it.goto(app.url + "/chats")
    press(page, "Import")
    for name, told in (
        ("notes.txt", "notes.txt holds no chats: notes.txt (text that begins “Dear diary”)."),
        ("broken.zip", "broken.zip is a ZIP file that is cut off, and what is left of it holds no chat."),
    ):
        page.it.locator("input[type=file]").set_input_files(tmp_path / name)
        expect(page.it.get_by_role("alert")).to_contain_text(told)
        expect(page.it.get_by_role("alert")).not_to_contain_text("passing")
    page.shot("chats-import-error")
    page.it.locator("input[type=file]").set_input_files(tmp_path / "cut.zip")
    expect(page.it.get_by_text("1 × the ZIP file is cut off")).to_be_visible()
    expect(titles(page)).to_have_count(6)


def test_the_files_of_an_unpacked_export_are_dropped_together(app: App, page: Page, tmp_path: Path) -> None:
    for number, title in enumerate(("Trip to Rome", "Second trip")):
        (tmp_path / f"conversations-00{number}.json").write_text(json.dumps([rome(title)]))
    page.it.goto(app.url + "/chats")
    expect(titles(page)).to_have_count(4)
    files = {path.name: path.read_text() for path in tmp_path.glob("*.json")}
    dropped = page.it.evaluate_handle(
        """(files) => {
            const data = new DataTransfer();
            for (const [name, text] of Object.entries(files)) data.items.add(new File([text], name));
            return data;
        }""",
        files,
    )
    page.it.locator("h1").dispatch_event("drop", {"dataTransfer": dropped})  # anywhere on the page
    expect(page.it.locator(".figure").first).to_have_text("2new chats")
    expect(titles(page)).to_have_count(6)


def test_many_chats_come_page_by_page(app: App, page: Page) -> None:
    with open_database() as database:
        chats = Chats(database)
        for number in range(120):
            chats.create(title=f"Chat {number}")
    page.it.goto(app.url + "/chats")
    expect(page.it.get_by_text("124 chats; 50 of them shown")).to_be_visible()
    for shown in (100, 124):
        page.it.get_by_role("button", name="More", exact=True).click()
        expect(titles(page)).to_have_count(shown)
    expect(page.it.get_by_role("button", name="More", exact=True)).to_be_hidden()
    choose(page, "Chat 77")
    press(page, "Choose all 124")
    expect(page.it.get_by_text("124 chosen")).to_be_visible()
    press(page, "Delete")
    expect(page.it.get_by_text("No chats yet.")).to_be_visible()
    press(page, "Undo")
    expect(page.it.get_by_text("124 chats; ")).to_be_visible()


def test_names_of_others_stay_names(app: App, page: Page) -> None:
    """An import may bring any text as a model's name; within an attribute it could bring others, with scripts in them."""
    hostile = 'gpt" onclick="window.hacked=1" onpointerdown="window.hacked=2" x="'
    with open_database() as database:
        chats = Chats(database)
        chat = chats.create(title=hostile, folder=hostile, model=hostile)
        question = chats.add(chat.id, None, "user", "Who?")
        for text in ("one", "two", "three"):
            chats.add(chat.id, question.id, "assistant", text, model=hostile)
    page.it.goto(f"{app.url}/chat/{chat.id}")
    model = page.it.get_by_role("toolbar", name="This chat").get_by_role("button").first
    expect(model).to_have_accessible_name(f"Model: {hostile}")
    model.click()
    page.it.keyboard.press("Escape")
    page.it.get_by_label("Prefer this one").click()
    page.it.get_by_role("dialog").get_by_role("checkbox").first.click()
    assert page.it.locator("[onclick]").count() == 0
    assert page.it.evaluate("window.hacked") is None
    page.it.goto(f"{app.url}/compare/{question.id}")
    page.it.get_by_text("three").click()
    page.it.goto(f"{app.url}/chats")
    page.it.get_by_role("checkbox").first.click()
    assert page.it.evaluate("window.hacked") is None
    for name in ("onclick", "onpointerdown"):
        assert page.it.locator(f"[{name}]").count() == 0
