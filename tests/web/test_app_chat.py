"""The chat as people use it: the real app in a process of its own, a real browser, and a provider that stands in."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import pytest
from apps import MINI, QUESTION, SAYING, App, answered, ask, wait
from browser import Page
from playwright.sync_api import expect

from serving import point
from standin.server import Standin


@pytest.fixture
def app(shared: App) -> App:
    return shared


def rows(home: Path) -> list[tuple[str, str, str]]:
    with sqlite3.connect(home / "chapeta.sqlite") as connection:
        found: list[tuple[str, str, str]] = connection.execute(
            "SELECT role, status, text FROM chat_turns ORDER BY number"
        ).fetchall()
    return found


def test_the_first_run_answers_without_key_or_network(home: Path, page: Page) -> None:
    with App(home) as app:
        page.it.goto(app.url)
        expect(page.it.get_by_text("What are you working on?")).to_be_visible()
        ask(page, "Say hello.")
        answered(page)
        page.shot("first-run")
        assert "/chat/" in page.it.url
        assert [row[:2] for row in rows(home)] == [("user", "done"), ("assistant", "done")]
        assert rows(home)[1][2]
        page.it.goto("about:blank")  # it would say that it lost its connection
        assert "Traceback" not in app.err


def test_a_chat_is_kept_shown_again_and_listed(app: App, page: Page, standin: Standin) -> None:
    standin.say("Bonjour **Anna**.")
    page.it.goto(app.url)
    ask(page, "Say hello to Anna in French.")
    answered(page)
    expect(page.it.locator(SAYING)).to_contain_text("Bonjour Anna.")
    page.it.reload()
    expect(page.it.locator(SAYING)).to_contain_text("Bonjour Anna.")
    expect(page.it.locator(".side-chats")).to_contain_text("Say hello to Anna in French.")
    page.it.goto(app.url)
    page.it.get_by_role("link", name="Say hello to Anna").click()
    expect(page.it.locator(SAYING)).to_contain_text("Bonjour Anna.")


def test_an_empty_message_is_said_in_place_and_not_sent(app: App, page: Page, standin: Standin) -> None:
    page.it.goto(app.url)
    page.it.fill(QUESTION, "   ")
    page.it.press(QUESTION, "Enter")
    expect(page.it.get_by_text("Write a message first.")).to_be_visible()
    assert not standin.chats


def test_stopping_stops_the_provider_and_keeps_what_had_come(app: App, page: Page, standin: Standin) -> None:
    standin.next_fault("stall-mid")
    standin.say("one two three four five six seven eight")
    page.it.goto(app.url)
    ask(page, "Count.")
    expect(page.it.locator(SAYING)).to_contain_text("one")
    page.it.get_by_label("Stop").click()
    answered(page)
    expect(page.it.locator(SAYING)).to_contain_text("stopped")
    wait(lambda: standin.open_connections == 0)
    role, status, text = rows(app.home)[1]
    assert (role, status) == ("assistant", "stopped") and text.startswith("one")


def test_a_page_that_comes_back_joins_the_answer_that_streams(app: App, page: Page, standin: Standin) -> None:
    standin.next_fault("stall-mid")
    standin.say("one two three four five six")
    page.it.goto(app.url)
    ask(page, "Count.")
    expect(page.it.locator(SAYING)).to_contain_text("one")
    page.it.reload()
    expect(page.it.locator(SAYING)).to_contain_text("one")
    expect(page.it.get_by_label("Stop")).to_be_visible()
    standin.release()
    answered(page)


def test_after_kill_9_in_mid_stream_what_had_come_is_there(home: Path, page: Page, standin: Standin) -> None:
    point(home, "mine", standin.url, needs_key=False)
    (home / "settings.json").write_text(f'{{"model": "{MINI}"}}')
    with App(home) as app:
        where = killed_in_mid_stream(app, page, standin)
    with App(home) as again:
        page.it.goto(again.url + "/chat/" + where.rpartition("/")[2])
        expect(page.it.locator(SAYING)).to_contain_text("one")
        expect(page.it.locator(SAYING)).to_contain_text("Chapeta ended while this answer came")
        page.it.goto("about:blank")


def killed_in_mid_stream(app: App, page: Page, standin: Standin) -> str:
    """The address of the chat."""
    standin.next_fault("stall-mid")
    standin.say("one two three four five six")
    page.it.goto(app.url)
    ask(page, "Count.")
    expect(page.it.locator(SAYING)).to_contain_text("one")
    where = page.it.url
    wait(lambda: rows(app.home)[1][2])
    os.kill(app.process.pid, signal.SIGKILL)
    app.process.wait(10)
    page.it.goto("about:blank")
    page.errors.clear()  # the page has said that its connection was lost
    return where


def test_editing_and_asking_again_make_branches(app: App, page: Page, standin: Standin) -> None:
    standin.say("first")
    page.it.goto(app.url)
    ask(page, "Question one")
    answered(page)
    standin.say("second")
    page.it.get_by_label("Ask again").click()
    expect(page.it.locator(SAYING)).to_contain_text("second")
    expect(page.it.locator(SAYING)).to_contain_text("2/2")
    page.it.get_by_label("The version before").click()
    expect(page.it.locator(SAYING)).to_contain_text("first")
    standin.say("third")
    page.it.get_by_label("Edit", exact=True).click()
    page.it.get_by_label("Edit the message").fill("Question two")
    page.it.get_by_text("Send as a new branch").click()
    expect(page.it.locator(SAYING)).to_contain_text("third")
    expect(page.it.locator("article.user")).to_contain_text("2/2")
    assert sorted(text for _, _, text in rows(app.home)) == ["Question one", "Question two", "first", "second", "third"]


def test_a_refusal_is_said_in_place_with_the_providers_words(app: App, page: Page, standin: Standin) -> None:
    standin.next_fault("402")
    page.it.goto(app.url)
    ask(page, "Hello")
    expect(page.it.locator(f"{SAYING} [role=alert]")).to_be_visible()
    page.shot("refusal")
    standin.say("now it works")
    page.it.get_by_label("Ask again").click()
    expect(page.it.locator(SAYING)).to_contain_text("now it works")


def test_two_tabs_show_the_same_chat(app: App, page: Page, standin: Standin) -> None:
    standin.say("hello both")
    page.it.goto(app.url)
    ask(page, "Hello")
    answered(page)
    other = page.context.new_page()
    other.goto(page.it.url)
    expect(other.locator(SAYING)).to_contain_text("hello both")
    standin.say("again for both")
    ask(page, "Once more")
    expect(other.locator(SAYING).nth(1)).to_contain_text("again for both", timeout=20_000)


def test_what_was_sent_is_shown(app: App, page: Page, standin: Standin) -> None:
    page.it.goto(app.url)
    ask(page, "What is sent?")
    answered(page)
    page.it.get_by_label("What was sent").click()
    expect(page.it.get_by_role("dialog")).to_contain_text("mine/openai/gpt-4.1-mini")


def test_other_sites_pages_do_not_get_in(app: App) -> None:
    import http.client
    from urllib.parse import urlsplit

    place = urlsplit(app.url)
    picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    other_port = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for headers, status in (
        ({"Host": "evil.example"}, 403), ({"Host": place.netloc, "Origin": "http://evil.example"}, 403),
        (picture, 403), (other_port, 403), (link, 200), ({}, 200),
    ):  # fmt: skip
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        connection.request("GET", "/", headers=headers)
        assert connection.getresponse().status == status, headers
        connection.close()


def test_started_twice_it_says_where_it_is(app: App) -> None:
    import subprocess
    import sys
    from urllib.parse import urlsplit

    port = str(urlsplit(app.url).port)
    done = subprocess.run(
        [sys.executable, "-m", "chapeta.cli.main", "app", "--no-browser", "--port", port],
        capture_output=True, text=True, timeout=60, env={**os.environ, "CHAPETA_HOME": str(app.home)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "open already" in done.stdout, done.stderr


def test_a_skill_is_written_versioned_and_used_by_its_name(app: App, page: Page, standin: Standin) -> None:
    page.it.goto(app.url + "/skills")
    page.it.get_by_role("button", name="Write one").click()
    page.it.get_by_role("dialog").locator("textarea").fill(
        "---\nname: pirate\ndescription: Talks like a pirate.\n---\n\nAnswer like a pirate.\n"
    )
    page.it.get_by_role("button", name="Keep").click()
    page.it.wait_for_url("**/skills/pirate")
    page.it.get_by_label("SKILL.md").fill(
        "---\nname: pirate\ndescription: Talks like a pirate.\n---\n\nAnswer as a captain.\n"
    )
    page.it.get_by_role("button", name="Save").click()
    expect(page.it.get_by_text("Saved as version 2.")).to_be_visible()
    page.it.get_by_text("What changed").click()
    expect(page.it.get_by_role("dialog")).to_contain_text("+ Answer as a captain.")
    page.shot("skill")
    page.it.goto(app.url)
    ask(page, "/pirate Where is the ship?")
    answered(page)
    expect(page.it.locator(SAYING)).to_contain_text("/pirate")
    sent = standin.chats[-1].json
    assert sent is not None
    assert sent["messages"] == [
        {"role": "system", "content": "Answer as a captain."}, {"role": "user", "content": "Where is the ship?"},
    ]  # fmt: skip


def test_an_answer_becomes_an_example(app: App, page: Page, standin: Standin) -> None:
    standin.say("wrong")
    page.it.goto(app.url)
    ask(page, "Which desk?")
    answered(page)
    page.it.get_by_label("Make an example of it").click()
    dialog = page.it.get_by_role("dialog")
    dialog.get_by_label("Answer").fill("delivery")
    dialog.get_by_label("Dataset").fill("desks")
    dialog.get_by_label("Dataset").press("Enter")
    dialog.get_by_role("button", name="Keep").click()
    wait(lambda: (app.home / "datasets" / "desks.jsonl").exists())
    page.it.goto(app.url + "/examples/desks")
    expect(page.it.get_by_text("delivery", exact=True)).to_be_visible()
    page.shot("examples")


def test_what_was_said_is_found_and_never_becomes_markup(app: App, page: Page, standin: Standin) -> None:
    standin.say("The walrus <b>sleeps</b> on the ice.")
    page.it.goto(app.url)
    ask(page, "Where is it?")
    answered(page)
    page.it.goto(app.url + "/search")
    page.it.get_by_label("Search chats").fill("walrus sleeps")
    page.it.get_by_role("link", name="The walrus").click()
    page.it.wait_for_url("**/chat/*")
    expect(page.it.locator(SAYING)).to_contain_text("walrus")
    expect(page.it.locator(".turn.found")).to_contain_text("walrus")
