"""Specialising as people do it: a file dropped on the page of the real app, a real job, a real browser, no key."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import App, answered, ask, wait
from browser import Page
from playwright.sync_api import Locator, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from command import write_rows

from chapeta import jobs
from chapeta.examples import datasets

OTHERS = ("few-shot", "nearest", "skill", "tuned", "tuned+skill")
DROP = "input[type=file]"
DONE_MS = 300_000  # for a job of seconds, as other work may share the cores


@pytest.fixture
def app(blank: App) -> App:
    """An app that answers with the embedded model."""
    return blank


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """Leaves the app before it ends: an open page says that it has lost its connection."""
    yield page
    page.it.goto("about:blank")


def drop(page: Page, address: str, file: Path) -> None:
    page.it.goto(f"{address}/specialise")
    page.it.wait_for_function("window.did_handshake")
    page.it.set_input_files(DROP, file)


def weighed(page: Page) -> Locator:
    """Waits until all candidates have their time, and gives the line of the sum."""
    line = page.it.get_by_text("In all ")
    expect(line).to_be_visible()
    return line


def choose_base(page: Page) -> None:
    before = weighed(page).inner_text()
    for name in OTHERS:
        page.it.get_by_label(name, exact=True).click()
    expect(page.it.get_by_text("In all ")).not_to_have_text(before)


def begin(page: Page, name: str) -> str:
    """Begins a run of this name with the base alone, from a file that was read; the number of its job."""
    choose_base(page)
    page.it.get_by_label("Name, also of what comes out").fill(name)
    page.it.get_by_role("button", name="Begin").click()
    page.it.wait_for_url(re.compile(r"/specialise/\d+$"))
    expect(page.it.get_by_role("heading", name=name)).to_be_visible()
    return page.it.url.rpartition("/")[2]


def test_from_a_dropped_file_to_an_answer_in_the_chat(app: App, page: Page, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "desk.csv", 40)
    file.write_text(f"{file.read_text()},billing\nwrite to anna.smith@example.com about the parcel,delivery\n")
    drop(page, app.url, file)
    expect(weighed(page)).to_contain_text("Nothing is billed")
    for said in ("Questions from “text”, answers from “label”.", "41 good examples of 42", "1 × e-mail", "2 labels"):
        expect(page.it.get_by_text(said)).to_be_visible()
    expect(page.it.get_by_text("1 bad: The input is empty.")).to_be_visible()
    page.shot("specialise-plan")
    job_id = begin(page, "desk")
    expect(page.it.get_by_text("Running since")).to_be_visible()
    expect(page.it.get_by_role("heading", name=re.compile("use base"))).to_be_visible(
        timeout=DONE_MS
    )  # too few rows: get more data
    page.shot("specialise-done")
    expect(page.it.get_by_text("indicative", exact=True)).to_be_visible()
    report = page.it.frame_locator("iframe[title='The report']")
    expect(report.get_by_role("heading").first).to_be_visible()
    expect(report.locator("body")).to_contain_text("base")
    assert report.locator("svg").count() > 0
    table = page.it.get_by_role("table", name="Candidates")
    expect(table.get_by_role("link", name="Talk to desk", exact=True)).to_be_visible()
    assert jobs.job(job_id).status == "done" and (app.home / "deployments" / "desk").is_dir()
    table.get_by_label("Deploy base").click()
    page.it.get_by_role("dialog").get_by_label("Name").fill("No name!")
    page.it.get_by_role("dialog").get_by_role("button", name="Deploy", exact=True).click()
    expect(page.it.get_by_role("dialog")).to_contain_text("cannot be a name")
    page.it.get_by_role("dialog").get_by_label("Name").fill("desk-by-hand")
    page.it.get_by_role("dialog").get_by_role("button", name="Deploy", exact=True).click()
    expect(table.get_by_role("link", name="Talk to desk", exact=True)).to_be_visible()
    table.get_by_role("link", name="Talk to desk-by-hand").click()
    page.it.wait_for_url("**/?model=desk-by-hand")
    ask(page, "where is the parcel with the lamp?")
    answered(page)
    expect(page.it.locator("article[aria-label=Answer]")).to_contain_text(re.compile("delivery|billing"))


def test_after_kill_9_in_mid_job_it_goes_on_to_its_end(home: Path, page: Page, tmp_path: Path) -> None:
    with App(home) as first:
        drop(page, first.url, write_rows(tmp_path / "desk.csv", 40))
        job_id = begin(page, "desk")
        state = wait(lambda: (found := jobs.job(job_id).state).pid and found, 120)
        page.it.goto("about:blank")
        for process in (
            first.process.pid,
            state.keeper,
            state.pid,
        ):  # the machine goes down, as far as the job can tell
            os.kill(process, signal.SIGKILL)
        first.process.wait(10)
    assert jobs.job(job_id).status == "running"
    with App(home) as second:
        page.it.goto(f"{second.url}/specialise")
        page.it.get_by_role("link", name="desk").click()
        expect(page.it.get_by_text(re.compile("^Running since .* for the 2. time"))).to_be_visible()
        expect(page.it.get_by_role("heading", name=re.compile("use base"))).to_be_visible(timeout=DONE_MS)
        expect(page.it.get_by_text(re.compile("^Done after"))).to_be_visible()
        page.it.goto("about:blank")
        assert "Traceback" not in second.err


def test_jobs_queue_and_are_cancelled_and_removed(app: App, page: Page, tmp_path: Path) -> None:
    datasets.import_file("desk", write_rows(tmp_path / "desk.csv", 60))
    numbers = []
    for name in ("one", "two", "three"):
        page.it.goto(f"{app.url}/specialise?dataset=desk")
        numbers.append(begin(page, name))
        if name == "one":
            os.kill(working(numbers[0]), signal.SIGSTOP)  # so that there is a queue, however fast the machine is
    expect(page.it.get_by_text("Waiting, 2 before this one.")).to_be_visible()
    page.shot("specialise-queue")
    page.it.get_by_role("button", name="Cancel").click()
    expect(page.it.get_by_text("Cancelled")).to_be_visible()
    expect(page.it.get_by_role("button", name="Go on where it was")).to_be_visible()
    page.it.get_by_role("link", name="All runs").click()
    lines = page.it.get_by_role("table", name="Runs").get_by_role("row")
    expect(lines.filter(has_text="three")).to_contain_text("cancelled")
    expect(lines.filter(has_text="two")).to_contain_text("waits, 1 before it")
    expect(lines.filter(has_text="one")).to_contain_text("running")
    page.it.get_by_label(f"Remove run {numbers[2]} from the list").click()
    expect(lines).to_have_count(2)
    os.kill(working(numbers[0]), signal.SIGCONT)
    page.it.get_by_role("link", name="one").click()
    page.it.get_by_role("button", name="Cancel").click()
    expect(page.it.get_by_text(re.compile("^(Cancelled|Done)"))).to_be_visible(timeout=DONE_MS)
    page.it.get_by_role("link", name="All runs").click()
    expect(lines.filter(has_text="two")).to_contain_text("done", timeout=DONE_MS)


def working(job_id: str) -> int:
    """The process that does the job's work, once there is one."""
    pid = wait(lambda: jobs.job(job_id).state.pid, 120)
    assert isinstance(pid, int)
    return pid


def test_what_cannot_be_read_is_said_in_place_and_the_next_file_is_read(app: App, page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b"\x00\xff\xfe not json\n" * 20)
    drop(page, app.url, broken)
    alert = page.it.get_by_role("alert").filter(has_text=re.compile("has no example|cannot|not"))
    expect(alert.first).to_be_visible()
    page.shot("specialise-refused")
    few = tmp_path / "few.csv"
    write_rows(few, 4)
    page.it.set_input_files(DROP, few)
    expect(page.it.get_by_text("too few")).to_be_visible()
    strange = tmp_path / "strange.csv"
    strange.write_text(write_rows(tmp_path / "fine.csv", 30).read_text().replace("text,label", "wording,desk"))
    page.it.set_input_files(DROP, strange)
    expect(page.it.get_by_text("Cannot tell which column")).to_be_visible()
    page.it.get_by_label("Column with the question").fill("wording")
    page.it.get_by_label("Column with the answer").fill("desk")
    page.it.get_by_role("button", name="Look again").click()
    expect(page.it.get_by_text("Questions from “wording”, answers from “desk”.")).to_be_visible()
    expect(weighed(page)).to_be_visible()


def test_a_dataset_is_brought_in_split_corrected_and_checked(app: App, page: Page, tmp_path: Path) -> None:
    page.it.goto(f"{app.url}/examples")
    page.it.wait_for_function("window.did_handshake")
    page.it.set_input_files(DROP, write_rows(tmp_path / "desk.csv", 60))
    dialog = page.it.get_by_role("dialog")
    expect(dialog).to_contain_text("60 good examples of 60")
    assert datasets.listed() == []
    dialog.get_by_role("button", name="Add 60 examples").click()
    page.it.wait_for_url("**/examples/desk")
    expect(page.it.get_by_text("1 to 25 of 60")).to_be_visible()
    page.it.get_by_role("button", name="3", exact=True).click()
    expect(page.it.get_by_text("51 to 60 of 60")).to_be_visible()
    row = page.it.get_by_role("article", name="Example 60")
    row.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Question").fill("who is anna.smith@example.com?")
    expect(dialog.get_by_text("May this be learned? e-mail")).to_be_visible()
    dialog.get_by_role("button", name="Keep").click()
    expect(row).to_contain_text("who is anna.smith@example.com?")
    expect(row).to_contain_text("May this be learned?")
    page.shot("examples-rows")
    page.it.get_by_role("button", name="Check").click()
    expect(dialog).to_contain_text("1 × e-mail")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    page.it.get_by_role("button", name="Split").click()
    splits = datasets.split("desk")
    expect(dialog).to_contain_text(f"{len(splits.train)} to learn from")
    expect(dialog).to_contain_text(f"{len(splits.test)} to measure with")
    page.shot("examples-split")
