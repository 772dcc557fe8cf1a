"""Composer, palette and shortcuts as people use them: the real app, a real browser, a provider that stands in."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3

import pytest
from apps import QUESTION, SAYING, App, answered, ask, wait
from browser import Page
from playwright.sync_api import Locator, expect

from chat.document_files import pdf, png
from standin.server import Standin

NOTES = ".composer .notes"
CHIP = ".composer .chip"
PALETTE = "dialog.palette"
READY = "window.chapetaComposer && window.chapetaPalette"
REPORT = "\n\n".join(f"Paragraph {n}: the quarter's figures of shop {n} were as planned. " * 12 for n in range(120))
OFFER = "The walrus costs 77 dollars."

# as the browser does it: a clipboard or a dragged file with data, and the event that the page gets
GIVE = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  const to = kind === "paste" ? document.querySelector(".composer textarea") : document.querySelector(".talk-body");
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
  to.dispatchEvent(event);
}"""

# what the page tells its process takes a while: its word that the box is empty comes after the send has failed
LATE_MS = 400
SLOW = f"""() => {{
  const emit = window.socket.emit.bind(window.socket);
  window.socket.emit = (...told) => {{ setTimeout(() => emit(...told), {LATE_MS}); return window.socket; }};
}}"""


@pytest.fixture
def app(shared: App) -> App:
    """The app of this file, with a skill."""
    skill = shared.home / "skills" / "pirate"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text(
        "---\nname: pirate\ndescription: Talks like a pirate.\n"
        "disable-model-invocation: true\n---\n\nAnswer like a pirate.\n"
    )
    return shared


@pytest.fixture
def composer(app: App, page: Page) -> Page:
    """The page of a new chat, ready to be written in."""
    page.it.goto(app.url)
    expect(page.it.locator(QUESTION)).to_be_visible()
    page.it.wait_for_function(READY)
    return page


def give(page: Page, kind: str, name: str, data: bytes, media_type: str = "") -> None:
    page.it.evaluate(GIVE, [kind, name, media_type, base64.b64encode(data).decode()])


def chip(page: Page, name: str) -> Locator:
    return page.it.locator(CHIP, has_text=name)


def sent(standin: Standin) -> str:
    """What the provider got last."""
    got = standin.chats[-1].json
    assert got is not None
    return json.dumps(got["messages"])


def test_a_pasted_picture_is_seen_and_sent(composer: Page, standin: Standin) -> None:
    give(composer, "paste", "image.png", png(60, 40), "image/png")
    expect(chip(composer, "picture 1.png")).to_contain_text("tokens")
    seen = "document.querySelector('.composer .thumb').naturalWidth"
    composer.it.wait_for_function(f"{seen} === 60")
    composer.shot("composer-picture")
    ask(composer, "What is it?")
    answered(composer)
    assert "data:image/png;base64," in sent(standin)
    expect(composer.it.locator(CHIP)).to_have_count(0)


def test_a_dropped_document_goes_in_relevant_parts(composer: Page, standin: Standin) -> None:
    give(composer, "drop", "report.txt", f"{REPORT}\n\n{OFFER}".encode())
    expect(chip(composer, "report.txt")).to_contain_text("whole text, about 23.6k tokens · $0.047")
    composer.it.get_by_label("How much of report.txt is sent").click()
    composer.shot("composer-document")
    composer.it.get_by_role("option", name="relevant parts, at most 2k tokens · $0.004").click()
    expect(chip(composer, "report.txt")).to_contain_text("relevant parts")
    ask(composer, "What does the walrus cost?")
    answered(composer)
    assert OFFER in sent(standin) and len(sent(standin)) < len(REPORT) / 4


def test_a_send_that_fails_late_leaves_what_was_written_meanwhile(app: App, composer: Page, standin: Standin) -> None:
    composer.it.evaluate(SLOW)
    with contextlib.closing(sqlite3.connect(app.home / "chapeta.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ask(composer, "What does it cost?")
        expect(composer.it.locator(QUESTION)).to_have_value("")
        composer.it.locator(QUESTION).press_sequentially("And now?")
        expect(composer.it.locator(NOTES)).to_contain_text("is locked by another program")
        other.rollback()
    expect(composer.it.locator(QUESTION)).to_have_value("What does it cost?\nAnd now?")
    composer.it.wait_for_timeout(LATE_MS * 2)
    composer.it.press(QUESTION, "Enter")
    answered(composer)
    assert "What does it cost?" in sent(standin)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("secret.pdf", pdf(["Hello"], encrypted=True), "secret.pdf is encrypted. Open it with its password"),
        ("notes.txt", bytes(range(256)) * 40, "notes.txt is not text"),
        ("nothing.txt", b" \n", "nothing.txt is empty."),
        ("photo.png", b"this is no picture", "photo.png has the name of a picture and is none."),
        ("half.png", png(60, 40)[:18], "half.png is a damaged picture."),
        ("<img src=x onerror=alert(1)>.txt", b"\x00\x01" * 500, "onerror=alert(1)"),
    ],
    ids=["encrypted", "binary", "empty", "no picture", "damaged picture", "markup as name"],
)
def test_what_cannot_be_read_is_said_in_place_and_the_text_stays(
    composer: Page, name: str, data: bytes, said: str
) -> None:
    composer.it.fill(QUESTION, "my question")
    give(composer, "drop", name, data)
    expect(composer.it.locator(NOTES)).to_contain_text(said)
    composer.shot(f"composer-{name[:6].strip('<')}")
    expect(composer.it.locator(CHIP)).to_have_count(0)
    expect(composer.it.locator(QUESTION)).to_have_value("my question")
    composer.it.locator(NOTES).get_by_label("Close").click()
    expect(composer.it.locator(NOTES)).to_be_empty()


def test_a_file_that_is_too_large_is_refused_by_name(composer: Page) -> None:
    composer.it.evaluate(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File([new Uint8Array(31_000_000)], "huge.pdf"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
        }"""
    )
    expect(composer.it.locator(NOTES)).to_contain_text("huge.pdf has 31 MB; 30 MB are the most.")


def test_a_file_can_be_added_again_after_it_was_removed(composer: Page) -> None:
    for _ in range(2):
        with composer.it.expect_file_chooser() as chosen:
            composer.it.get_by_label("Add images or documents").click()
        chosen.value.set_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"some text"})
        expect(chip(composer, "a.txt")).to_be_visible()
        composer.it.get_by_label("Remove a.txt").click()
        expect(composer.it.locator(CHIP)).to_have_count(0)
    expect(composer.it.locator(NOTES)).to_be_empty()


def test_a_paste_of_5_mb_is_offered_as_a_document(composer: Page, standin: Standin) -> None:
    composer.it.fill(QUESTION, "Read it.")
    composer.it.evaluate(
        """() => {
          const carried = new DataTransfer();
          carried.setData("text/plain", "All is well. ".repeat(400_000));
          document.querySelector(".composer textarea").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true }));
        }"""
    )
    expect(composer.it.locator(NOTES)).to_contain_text("5,200,000 characters; a message takes 200,000")
    composer.shot("composer-paste")
    composer.it.get_by_role("button", name="Add it as a document").click()
    expect(chip(composer, "text 1.txt")).to_be_visible()
    expect(composer.it.locator(QUESTION)).to_have_value("Read it.")
    composer.it.get_by_label("How much of text 1.txt is sent").click()
    composer.it.get_by_role("option", name="relevant parts").click()
    ask(composer, "Read it.")
    expect(composer.it.locator(f"{SAYING} .turn-foot")).to_have_count(1, timeout=180_000)  # a million words are ranked
    assert "All is well." in sent(standin)


def test_a_box_that_gets_too_much_at_once_keeps_what_it_had(composer: Page) -> None:
    composer.it.fill(QUESTION, "short")
    composer.it.fill(QUESTION, "long " * 100_000)
    expect(composer.it.locator(NOTES)).to_contain_text("500,000 characters")
    expect(composer.it.locator(QUESTION)).to_have_value("short")
    composer.it.get_by_role("button", name="Leave it out").click()
    expect(composer.it.locator(NOTES)).to_be_empty()


def test_a_send_that_fails_gives_back_text_and_file(app: App, page: Page, standin: Standin) -> None:
    page.it.goto(app.url + "/?skill=pirate")
    page.it.wait_for_function(READY)
    give(page, "drop", "report.txt", OFFER.encode())
    expect(chip(page, "report.txt")).to_be_visible()
    (app.home / "skills" / "pirate").rename(app.home / "gone")  # as another program does
    ask(page, "What does it cost?")
    expect(page.it.locator(NOTES)).to_contain_text("There is no skill 'pirate'")
    expect(page.it.locator(QUESTION)).to_have_value("What does it cost?")
    expect(chip(page, "report.txt")).to_be_visible()
    assert not standin.chats
    (app.home / "gone").rename(app.home / "skills" / "pirate")
    page.it.press(QUESTION, "Enter")
    answered(page)
    assert OFFER in sent(standin) and "What does it cost?" in sent(standin)


def test_what_does_not_fit_is_not_sent_and_the_way_out_is_taken(app: App, page: Page, standin: Standin) -> None:
    page.it.goto(app.url + "/?model=smollm2-135m")
    page.it.wait_for_function(READY)
    give(page, "drop", "report.txt", f"{REPORT}\n\n{OFFER}".encode())
    expect(chip(page, "report.txt")).to_contain_text("relevant parts")  # the whole is more than the model takes
    page.it.get_by_label("How much of report.txt is sent").click()
    page.it.get_by_role("option", name="whole text").click()
    expect(chip(page, "report.txt")).to_contain_text("free")
    ask(page, "What does the walrus cost?")
    expect(page.it.locator(NOTES)).to_contain_text("The message does not fit")
    expect(page.it.locator(QUESTION)).to_have_value("What does the walrus cost?")
    page.it.locator(NOTES).get_by_label("What is Context window?").press("Enter")
    expect(page.it.locator(".ask-about")).to_contain_text("The most tokens that a model can take in at once")
    expect(page.it.get_by_role("link", name="More")).to_have_attribute("href", "/help/context-window")
    page.shot("composer-full")
    page.it.keyboard.press("Escape")
    expect(page.it.locator(".ask-about")).to_have_count(0)
    page.it.get_by_role("button", name="Send only the relevant parts of the document").click()
    expect(chip(page, "report.txt")).to_contain_text("relevant parts")
    expect(page.it.locator(NOTES)).to_be_empty()
    page.it.press(QUESTION, "Enter")
    expect(page.it.locator("article.user")).to_contain_text("What does the walrus cost?")
    page.it.get_by_label("Stop", exact=True).click()
    answered(page)
    assert not standin.chats


def test_a_draft_is_there_after_a_reload_and_gone_once_sent(composer: Page) -> None:
    composer.it.fill(QUESTION, "half a thought")
    composer.it.reload()
    expect(composer.it.locator(QUESTION)).to_have_value("half a thought")
    composer.it.wait_for_function("window.did_handshake")
    composer.it.press(QUESTION, "Enter")
    answered(composer)
    composer.it.reload()
    answered(composer)
    expect(composer.it.locator(QUESTION)).to_have_value("")
    composer.it.get_by_role("link", name="New chat").first.click()
    expect(composer.it.get_by_text("What are you working on?")).to_be_visible()
    expect(composer.it.locator(QUESTION)).to_have_value("")


def test_a_skill_is_completed_by_keyboard(composer: Page, standin: Standin) -> None:
    box = composer.it.locator(QUESTION)
    offered = composer.it.get_by_role("listbox", name="Skills").get_by_role("option")
    box.press_sequentially("/p")
    expect(offered).to_have_count(1)
    composer.shot("composer-skills")
    box.press("Escape")
    expect(offered).to_have_count(0)
    box.press_sequentially("i")
    expect(offered).to_have_text("/pirateTalks like a pirate.")
    box.press("ArrowDown")
    expect(offered).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(box).to_have_value("/pirate ")
    expect(offered).to_have_count(0)
    box.press_sequentially("Where is the ship?")
    box.press("Enter")
    answered(composer)
    assert "Answer like a pirate." in sent(standin)


def test_the_palette_opens_a_page_and_a_chat_by_keyboard(composer: Page, standin: Standin) -> None:
    standin.say("Bonjour")
    ask(composer, "Greetings in French")
    answered(composer)
    chat = composer.it.url
    composer.it.keyboard.press("Control+k")
    box = composer.it.get_by_role("combobox", name="Go to, or do")
    expect(box).to_be_focused()
    expect(composer.it.locator(PALETTE).get_by_role("option").first).to_have_attribute("aria-selected", "true")
    composer.shot("palette")
    box.press_sequentially("usage")
    box.press("Enter")
    composer.it.wait_for_url("**/usage")
    composer.it.wait_for_function("window.chapetaPalette")
    composer.it.keyboard.press("Control+k")
    box.press_sequentially("greet fren")
    box.press("Enter")
    composer.it.wait_for_url(chat)
    expect(composer.it.locator(SAYING)).to_contain_text("Bonjour")


def test_the_palette_moves_closes_and_chooses_a_model_and_a_skill(composer: Page) -> None:
    composer.it.keyboard.press("Control+k")
    box = composer.it.get_by_role("combobox", name="Go to, or do")
    options = composer.it.locator(PALETTE).get_by_role("option")
    expect(options.nth(3)).to_be_visible()
    box.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "palette-1")
    box.press("Escape")
    expect(composer.it.locator(PALETTE)).to_be_hidden()
    composer.it.keyboard.press("Control+k")
    box.press_sequentially("use model smollm2")
    expect(options.first).to_contain_text("smollm2")
    box.press("Enter")
    composer.it.wait_for_url("**/?model=smollm2*")
    expect(composer.it.get_by_label("Model: smollm2")).to_be_visible()
    composer.it.wait_for_function("window.chapetaPalette")
    composer.it.keyboard.press("Control+k")
    box.press_sequentially("pirate")
    box.press("Enter")
    composer.it.wait_for_url("**/?skill=pirate")
    expect(composer.it.locator(".talk-head")).to_contain_text("/pirate")


def test_light_and_dark_are_changed_and_kept(composer: Page, app: App) -> None:
    composer.it.keyboard.press("Control+k")
    box = composer.it.get_by_role("combobox", name="Go to, or do")
    box.press_sequentially("light and dark")
    box.press("Enter")
    expect(composer.it.locator("body.body--dark")).to_be_visible()
    wait(lambda: json.loads((app.home / "settings.json").read_text()).get("look") == "dark")
    composer.it.reload()
    expect(composer.it.locator("body.body--dark")).to_be_visible()
    composer.shot("dark")


def test_the_shortcuts(composer: Page, standin: Standin) -> None:
    keyboard = composer.it.keyboard
    composer.it.fill(QUESTION, "")
    composer.it.locator(QUESTION).press_sequentially("what? 1/2")
    expect(composer.it.locator(QUESTION)).to_have_value("what? 1/2")
    expect(composer.it.get_by_role("dialog")).to_have_count(0)
    composer.it.fill(QUESTION, "")
    composer.it.locator(QUESTION).blur()
    keyboard.press("?")
    expect(composer.it.get_by_text("Keyboard shortcuts")).to_be_visible()
    composer.shot("shortcuts")
    keyboard.press("Escape")
    expect(composer.it.get_by_text("Keyboard shortcuts")).to_be_hidden()
    composer.it.locator(QUESTION).blur()
    keyboard.press("/")
    expect(composer.it.locator(QUESTION)).to_be_focused()
    expect(composer.it.locator(QUESTION)).to_have_value("")
    standin.next_fault("stall-mid")
    standin.say("one two three four five six")
    ask(composer, "Count.")
    expect(composer.it.locator(SAYING)).to_contain_text("one")
    expect(composer.it.get_by_label("Stop", exact=True)).to_be_visible()
    keyboard.press("Escape")
    expect(composer.it.locator(SAYING)).to_contain_text("stopped")
    keyboard.press("Control+Shift+O")
    expect(composer.it.get_by_text("What are you working on?")).to_be_visible()


def test_help_lists_the_shortcuts(app: App, page: Page) -> None:
    page.it.goto(app.url + "/help")
    expect(page.it.locator(".shortcuts")).to_contain_text("Stop the answer")
