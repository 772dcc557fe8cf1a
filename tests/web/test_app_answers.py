"""Answers beside each other, preferred, taken apart, sent on: the real app, a real browser, a provider that stands in."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from apps import MINI, SAYING, App, answered, ask
from browser import Page
from playwright.sync_api import Locator, expect

from standin.server import Standin

LARGE = "mine/qwen/qwen3-max"
PIRATE = "---\nname: pirate\ndescription: For questions about ships.\nmetadata:\n  x: y\n---\n\nAnswer like a pirate.\n"
COLUMN = "article[aria-label=Answer]"


@pytest.fixture
def app(shared: App, standin: Standin) -> App:
    """The app of this file; models say who they are."""
    standin.say(lambda body: f"I am **{body['model'].rpartition('/')[2]}**, and I say so at some length.")
    return shared


def pick(page: Page, model: str) -> None:
    """In the picker that is open."""
    page.it.get_by_label("Search models").fill(model)
    page.it.get_by_role("dialog").get_by_text(model, exact=True).click()


def turns(home: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(home / "chapeta.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM chat_turns ORDER BY number")]


def beside(app: App, page: Page) -> None:
    """Asks both models."""
    page.it.goto(app.url + "/compare")
    page.it.get_by_label("Column 2").get_by_role("button").first.click()
    pick(page, LARGE)
    expect(page.it.get_by_label("Column 2")).to_contain_text(LARGE)
    page.it.get_by_label("Message").fill("Who are you?")
    page.it.get_by_label("Message").press("Enter")
    page.it.wait_for_url("**/compare/*")


def kept(dialog: Locator, name: str) -> None:
    """Puts a dataset's name into a dialog and keeps."""
    dialog.get_by_label("Dataset").fill(name)
    dialog.get_by_label("Dataset").press("Enter")
    dialog.get_by_role("button", name="Keep").click()


def test_two_models_answer_side_by_side_and_the_chat_goes_on_with_one(app: App, page: Page, standin: Standin) -> None:
    standin.next_fault("stall-mid", times=2)
    beside(app, page)
    columns = page.it.locator(COLUMN)
    expect(columns).to_have_count(2)
    for place in (0, 1):
        expect(columns.nth(place)).to_contain_text("I am")
    page.it.reload()  # in mid-stream
    for place in (0, 1):
        expect(columns.nth(place)).to_contain_text("I am")
    expect(page.it.get_by_role("button", name="Stop all")).to_be_visible()
    standin.release()
    expect(columns.nth(0)).to_contain_text("gpt-4.1-mini, and I say so at some length.")
    expect(columns.nth(1)).to_contain_text("qwen3-max, and I say so at some length.")
    for place in (0, 1):
        expect(columns.nth(place).locator("dl")).to_contain_text("First token")
        expect(columns.nth(place).locator("dl")).to_contain_text("in, ")
    expect(page.it.get_by_role("button", name="Stop all")).to_be_hidden()
    page.shot("side-by-side")
    columns.nth(0).get_by_text("Go on with this one").click()
    page.it.wait_for_url("**/chat/*")
    expect(page.it.locator(SAYING)).to_contain_text("gpt-4.1-mini")
    expect(page.it.locator(SAYING)).to_contain_text("1/2")
    ask(page, "And now?")
    answered(page, 2)
    question, first, second, last, answer = turns(app.home)
    assert {first["parent_id"], second["parent_id"]} == {question["id"]}
    assert (last["parent_id"], answer["model"]) == (first["id"], MINI)
    page.it.get_by_role("link", name="Side by side").nth(1).click()
    page.it.wait_for_url(f"**/compare/{question['id']}")
    expect(columns).to_have_count(2)


def test_stopping_all_stops_each(app: App, page: Page, standin: Standin) -> None:
    standin.next_fault("stall-mid", times=2)
    beside(app, page)
    for place in (0, 1):
        expect(page.it.locator(COLUMN).nth(place)).to_contain_text("I am")
    page.it.get_by_role("button", name="Stop all").click()
    expect(page.it.get_by_text("Go on with this one")).to_have_count(2)
    assert [turn["status"] for turn in turns(app.home)] == ["done", "stopped", "stopped"]


def test_who_cannot_answer_says_so_in_its_column(app: App, page: Page) -> None:
    page.it.goto(app.url + f"/compare?model={MINI}&skill=&model={MINI}&skill=gone")
    page.it.get_by_label("Message").fill("Who are you?")
    page.it.get_by_label("Send").click()
    columns = page.it.locator(COLUMN)
    expect(columns.nth(0)).to_contain_text("gpt-4.1-mini, and I say so")
    expect(columns.nth(1).get_by_role("alert")).to_contain_text("There is no skill 'gone'.")
    page.it.goto(app.url + "/compare/nothing")
    expect(page.it.get_by_text("There is no message")).to_be_visible()


def test_a_preferred_answer_is_kept_as_a_pair(app: App, page: Page, standin: Standin) -> None:
    standin.say("The first.")
    page.it.goto(app.url)
    ask(page, "Which one?")
    answered(page)
    standin.say("The second.")
    page.it.get_by_label("Ask again").click()
    expect(page.it.locator(SAYING)).to_contain_text("The second.")
    page.it.get_by_label("Prefer this one").click()
    dialog = page.it.get_by_role("dialog")
    expect(dialog).to_contain_text("The first.")
    page.shot("prefer")
    kept(dialog, "taste")
    expect(page.it.get_by_text("Kept in taste.")).to_be_visible()
    [pair] = [json.loads(line) for line in (app.home / "datasets" / "taste.preferences.jsonl").read_text().splitlines()]
    assert pair["input"]["messages"] == [{"role": "user", "content": "Which one?"}]
    assert pair["preferred_output"] == [{"role": "assistant", "content": "The second."}]
    assert pair["non_preferred_output"] == [{"role": "assistant", "content": "The first."}]


def test_what_is_private_is_pointed_out_before_it_enters(app: App, page: Page, standin: Standin) -> None:
    standin.say("Write to anna@example.org.")
    page.it.goto(app.url)
    ask(page, "Whom do I ask? I am bob@example.org.")
    answered(page)
    page.it.get_by_label("Make an example of it").click()
    dialog = page.it.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("e-mail an…rg, in the answer")
    expect(dialog.get_by_role("alert")).to_contain_text("e-mail bo…rg, in message 1")
    page.shot("private")
    kept(dialog, "mail")
    expect(dialog.get_by_role("button", name="Keep it all the same")).to_be_visible()
    assert not (app.home / "datasets" / "mail.jsonl").exists()
    dialog.get_by_label("Answer").fill("Write to us.")  # one less, so it is asked anew
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog.get_by_role("alert")).not_to_contain_text("in the answer")
    assert not (app.home / "datasets" / "mail.jsonl").exists()
    dialog.get_by_role("button", name="Keep it all the same").click()
    expect(page.it.get_by_text("Kept in mail.")).to_be_visible()
    [row] = [json.loads(line) for line in (app.home / "datasets" / "mail.jsonl").read_text().splitlines()]
    assert [message["content"] for message in row["messages"]] == [
        "Whom do I ask? I am bob@example.org.", "Write to us.",
    ]  # fmt: skip


def test_a_request_is_taken_apart_and_sent_on(app: App, page: Page, standin: Standin) -> None:
    page.it.goto(app.url)
    ask(page, "Who are you?")
    answered(page)
    page.it.get_by_label("What was sent").click()
    dialog = page.it.get_by_role("dialog")
    expect(dialog).to_contain_text("Question · about 3 tokens · less than $0.00001")
    expect(dialog).to_contain_text("It reported")
    page.shot("xray")
    dialog.get_by_role("button", name="Send it again on another model").click()
    pick(page, LARGE)
    expect(page.it.locator(SAYING)).to_contain_text("qwen3-max, and I say so at some length.")
    expect(page.it.locator(SAYING)).to_contain_text("2/2")
    first, second = (request.json for request in standin.chats)
    assert first is not None and second is not None
    assert {**first, "model": ""} == {**second, "model": ""} and first["model"] != second["model"]
    question, one, other = turns(app.home)
    assert one["parent_id"] == other["parent_id"] == question["id"] and other["model"] == LARGE


def test_the_model_chooses_a_skill_by_its_description(app: App, page: Page, standin: Standin) -> None:
    (app.home / "skills" / "pirate").mkdir(parents=True)
    (app.home / "skills" / "pirate" / "SKILL.md").write_text(PIRATE)
    (app.home / "skill-settings.json").write_text('{"pirate": "model"}')
    standin.say(lambda body: '{"label": "pirate"}' if "response_format" in body else "Arr.")
    page.it.goto(app.url)
    ask(page, "Where is the ship?")
    answered(page)
    expect(page.it.locator(SAYING)).to_contain_text("/pirate, chosen by the model")
    sent = standin.chats[-1].json
    assert sent is not None
    assert sent["messages"][0] == {"role": "system", "content": "Answer like a pirate."}
    standin.next_fault("400")  # choosing fails, and the answer comes without a skill
    ask(page, "And now?")
    answered(page, 2)
    expect(page.it.locator(SAYING).last).not_to_contain_text("/pirate")
    assert [turn["skill_by"] for turn in turns(app.home) if turn["role"] == "assistant"] == ["model", ""]


def test_what_is_shown_is_not_drawn_anew(app: App, page: Page, standin: Standin) -> None:
    """A click that is under way when something else changes would be lost with its button."""
    page.it.goto(app.url)
    ask(page, "First?")
    answered(page)
    page.it.evaluate("window.before = [...document.querySelectorAll('article, article button')]")
    other = page.context.new_page()
    other.goto(page.it.url)
    expect(other.locator(SAYING)).to_have_count(1)
    other.fill(".composer textarea", "Second?")
    other.press(".composer textarea", "Enter")
    answered(page, 2)
    assert page.it.evaluate("window.before.length > 4 && window.before.every((one) => one.isConnected)")
    ask(page, "Third?")
    answered(page, 3)
    assert page.it.evaluate("window.before.every((one) => one.isConnected)")
    other.goto("about:blank")


def test_earlier_messages_stay_when_an_answer_comes(app: App, page: Page, standin: Standin) -> None:
    page.it.goto(app.url)
    ask(page, "First?")
    answered(page)
    chat_id = page.it.url.rpartition("/")[2]
    page.it.goto("about:blank")
    fill(app.home, chat_id, 40)
    page.it.goto(app.url + f"/chat/{chat_id}")
    expect(page.it.get_by_text("message 39")).to_be_visible()
    expect(page.it.get_by_text("First?", exact=True)).to_have_count(1)  # the side's
    page.it.get_by_role("button", name="Earlier messages").click()
    expect(page.it.locator("article").first).to_contain_text("First?")
    ask(page, "More?")
    expect(page.it.locator(SAYING).last).to_contain_text("I say so at some length.")
    expect(page.it.locator("article").first).to_contain_text("First?")
    texts = page.it.locator("article .said").all_text_contents()  # innerText leaves out what is not in sight
    assert texts == ["First?", *(f"message {n}" for n in range(0, 40, 2)), "More?"]


def fill(home: Path, chat_id: str, count: int) -> None:
    """More turns of a chat, as the store writes them."""
    from chapeta.chat.store import Chats
    from chapeta.storage.database import open_database

    with open_database(f"sqlite:///{home / 'chapeta.sqlite'}") as database:
        chats = Chats(database)
        for number in range(count):
            tip = chats.get(chat_id).tip_id
            chats.add(chat_id, tip, "assistant" if number % 2 else "user", f"message {number}")


def test_a_chat_keeps_the_version_of_a_skill(app: App, page: Page, standin: Standin) -> None:
    skill = app.home / "skills" / "pirate"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text(PIRATE)
    page.it.goto(app.url)
    ask(page, "/pirate Where is the ship?")
    answered(page)
    (skill / "SKILL.md").write_text(PIRATE.replace("a pirate.", "a captain."))
    ask(page, "And the captain?")
    answered(page, 2)
    ask(page, "/pirate And now?")
    answered(page, 3)
    sent = [request.json["messages"][0]["content"] for request in standin.chats if request.json]
    assert sent == ["Answer like a pirate.", "Answer like a pirate.", "Answer like a captain."]
    assert len({turn["skill_version"] for turn in turns(app.home) if turn["role"] == "assistant"}) == 2
