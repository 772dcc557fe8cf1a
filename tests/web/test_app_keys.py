"""Models, keys and usage as people use them: the real app, a real browser, a provider that stands in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from apps import App, answered, ask
from browser import Page
from playwright.sync_api import Locator, expect

from chapeta.storage.database import open_database
from loopback import reply, serving
from serving import point
from standin.server import KEY, Standin

WRONG = "sk-wrong-wrong-wrong-wrong"
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}


@pytest.fixture
def app(blank: App) -> App:
    return blank


def group(page: Page, name: str) -> Locator:
    return page.it.get_by_role("group", name=name, exact=True)


def add_address(page: Page, name: str, url: str, key: str = "") -> Locator:
    """Fills the dialog for an address and presses its button; the dialog."""
    page.it.get_by_role("button", name="Add an address").click()
    dialog = page.it.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Address").fill(url)
    if key:
        dialog.get_by_text("It needs a key").click()
        dialog.get_by_label("Its key").fill(key)
    dialog.get_by_role("button", name="Check and store").click()
    return dialog


def test_an_address_is_added_checked_and_forgotten(app: App, page: Page) -> None:
    with Standin(None, "openai") as upstream:
        page.it.goto(app.url + "/models")
        add_address(page, "mine", upstream.url)
        line = group(page, "mine")
        expect(line).to_contain_text(upstream.url)
        line.get_by_role("button", name="Check").click()
        expect(line).to_contain_text("models: ")
        page.shot("models-address")
        line.get_by_label("More for mine").click()
        page.it.get_by_text("Fetch its list of models").click()
        page.it.get_by_label("Search models").fill("mine/ mini")
        expect(page.it.get_by_role("button", name="mine/gpt-4.1-mini")).to_be_visible()
        line.get_by_label("More for mine").click()
        page.it.get_by_text("Forget it").click()
        page.it.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(line).to_have_count(0)
        assert (app.home / "addresses.json").read_text().strip() == "{}"


def test_a_wrong_key_is_said_in_place_and_a_good_one_is_never_shown_again(app: App, page: Page) -> None:
    with Standin(KEY, "openai") as upstream:
        page.it.goto(app.url + "/models")
        dialog = add_address(page, "mine", upstream.url, WRONG)
        expect(dialog.get_by_role("alert")).to_contain_text("refuses this key")
        expect(dialog.get_by_role("alert")).to_contain_text("Nothing was stored.")
        page.shot("models-wrong-key")
        assert not (app.home / "addresses.json").exists()
        dialog.get_by_label("Its key").fill(KEY)
        dialog.get_by_role("button", name="Check and store").click()
        expect(group(page, "mine")).to_contain_text(f"…{KEY[-4:]}")
        page.it.reload()
        expect(group(page, "mine")).to_contain_text(f"…{KEY[-4:]}")
        assert KEY not in page.it.content()


def test_what_is_no_server_is_said_in_place(app: App, page: Page) -> None:
    page.it.goto(app.url + "/models")
    with serving({"/models": reply(200, b"<html>hello</html>")}) as server:
        dialog = add_address(page, "web", server.url)
        expect(dialog.get_by_role("alert")).to_contain_text("is no OpenAI-compatible address")
    alert, button = dialog.get_by_role("alert"), dialog.get_by_role("button", name="Check and store")
    nobody = "http://127.0.0.1:9/v1"
    for name, url, said in (
        ("web", "not an address", "not an address"),
        ("A B", nobody, "cannot be a name"),
        ("openai", nobody, "There is a provider 'openai' already"),
    ):
        dialog.get_by_label("Name").fill(name)
        dialog.get_by_label("Address").fill(url)
        button.click()
        expect(alert).to_contain_text(said)
    dialog.get_by_label("Name").fill("later")
    button.click()
    expect(page.it.get_by_text("It could not be checked")).to_be_visible()  # it may be started later, so it is stored
    line = group(page, "later")
    line.get_by_role("button", name="Check").click()
    expect(line.locator(".warn")).to_be_visible()
    assert "later" in (app.home / "addresses.json").read_text()


def test_an_access_key_is_shown_once_limited_and_revoked(app: App, page: Page) -> None:
    page.it.goto(app.url + "/models")
    page.it.get_by_role("button", name="Issue a key").click()
    dialog = page.it.get_by_role("dialog")
    dialog.get_by_label("Whose").fill("ci")
    dialog.get_by_label("Budget in USD").fill("5")
    dialog.get_by_label("Calls").fill("often")
    dialog.get_by_role("button", name="Issue").click()
    expect(dialog.get_by_role("alert")).to_contain_text("'often' is not a rate")
    dialog.get_by_label("Calls").fill("60/min")
    dialog.get_by_label("Models").fill("openrouter/*")
    dialog.get_by_role("button", name="Issue").click()
    shown = page.it.get_by_role("dialog").filter(has_text="not shown again")
    token = shown.locator(".mono").first.inner_text()
    assert token.startswith("chapeta-") and len(token) > 40
    page.shot("models-access-key")
    shown.get_by_role("button", name="I have it").click()
    line = group(page, "ci")
    expect(line).to_contain_text("$0.00 of $5.00 a month · 60/min calls · openrouter/*")
    expect(shown).to_have_count(0)
    assert token not in page.it.content()
    page.it.reload()
    expect(line).to_contain_text(f"chapeta-…{token[-4:]}")
    assert token not in page.it.content()
    page.it.goto(app.url + "/usage")
    expect(page.it.get_by_text("$0.00 of $5.00 a month")).to_be_visible()
    page.it.get_by_label("Change the budget of ci").click()
    page.it.get_by_label("USD a month").fill("20")
    page.it.get_by_role("dialog").get_by_role("button", name="Keep").click()
    expect(page.it.get_by_text("$0.00 of $20.00 a month")).to_be_visible()
    page.it.goto(app.url + "/models")
    page.it.get_by_label("Revoke ci").click()
    page.it.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(line).to_have_count(0)
    with open_database() as database:
        from chapeta.gateway.ledger.access import listed

        assert listed(database) == []


def test_models_are_filtered_sorted_and_told_about(app: App, page: Page) -> None:
    page.it.goto(app.url + "/models")
    told = page.it.get_by_text("known models fit")
    expect(told).to_be_visible()
    page.it.get_by_label("Search models").fill("claude")
    page.it.get_by_label("Order").click()
    page.it.get_by_role("option", name="cheapest first").click()
    page.it.get_by_label("Provider", exact=True).click()
    page.it.get_by_role("option", name="anthropic").click()
    others = page.it.locator(".model-name", has_text=re.compile(r"^(?!anthropic/)"))
    expect(others).to_have_count(0)  # from now on nothing is drawn anew: a click on what is being replaced is lost
    first = page.it.locator(".model-name").first
    expect(first).to_contain_text("anthropic/claude")
    first.click()
    dialog = page.it.get_by_role("dialog")
    expect(dialog).to_contain_text("the offline price list")
    expect(dialog.locator(".notice")).to_contain_text("key")
    page.shot("models-details")
    dialog.get_by_role("button", name="Close").click()
    page.it.get_by_label("Search models").fill("some-model/of-mine")
    expect(page.it.get_by_text("No known model fits")).to_be_visible()
    page.it.get_by_role("button", name="some-model/of-mine").click()
    expect(page.it.get_by_role("dialog")).to_contain_text("what it costs is not known")


def test_a_fetch_without_network_says_why(home: Path, page: Page) -> None:
    (home / "models").unlink(missing_ok=True)
    with App(home, **NO_NETWORK) as app:
        page.it.goto(app.url + "/models")
        line = group(page, "smollm2-135m")
        line.get_by_role("button", name="Fetch").click()
        expect(line.get_by_label("Fetching smollm2-135m")).to_be_visible()
        expect(line.get_by_role("alert")).to_contain_text("Could not download", timeout=120_000)
        expect(line.get_by_role("button", name="Fetch")).to_be_visible()
        page.it.goto("about:blank")


def test_usage_by_chat_leads_to_the_chat(home: Path, page: Page) -> None:
    with Standin(None, "openai") as upstream:
        point(home, "mine", upstream.url, needs_key=False, usd_per_mtok_input=100.0, usd_per_mtok_output=200.0)
        (home / "settings.json").write_text('{"model": "mine/openai/gpt-4.1-mini"}')
        with App(home) as app:
            page.it.goto(app.url + "/usage")
            expect(page.it.get_by_text("No calls yet.")).to_be_visible()
            page.it.goto(app.url)
            ask(page, "What does this cost?")
            answered(page)
            page.it.goto(app.url + "/usage")
            expect(page.it.get_by_role("cell", name="mine/openai/gpt-4.1-mini")).to_be_visible()
            page.it.get_by_role("button", name="Chat", exact=True).click()
            link = page.it.get_by_role("cell").get_by_role("link", name="What does this cost?")
            expect(link).to_be_visible()
            expect(page.it.get_by_role("row", name="What does this cost?")).to_contain_text("$")
            page.shot("usage-by-chat")
            link.click()
            page.it.wait_for_url("**/chat/*")
            page.it.goto("about:blank")
            assert "Traceback" not in app.err
