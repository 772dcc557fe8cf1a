"""Datasets on real files: rows kept, changed and read page by page, by several writers, beside what others wrote there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput, Missing
from chapeta.examples import datasets, lines
from chapeta.examples.read import read
from chapeta.types import Example, Message

ASKED = (Message("system", "Be brief."), Message("user", "Where is my parcel?"))
SURELY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60).filter(str.strip)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def fill(name: str, count: int) -> None:
    """Many rows at once, as another program would write them."""
    file = datasets.path_of(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        for n in range(count):
            turns = [{"role": "user", "content": f"question {n}"}, {"role": "assistant", "content": f"answer {n % 7}"}]
            out.write(json.dumps({"messages": turns, "id": f"row{n}"}) + "\n")


def test_a_kept_answer_begins_a_dataset_and_is_an_openai_chat_row() -> None:
    row = datasets.append("Parcel desk", ASKED, "On its way.", "chat/1/2")
    (line,) = datasets.path_of("Parcel desk").read_text(encoding="utf-8").splitlines()
    value = json.loads(line)
    assert value["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is my parcel?"},
        {"role": "assistant", "content": "On its way."},
    ]
    assert (value["id"], value["source"]) == (row.id, "chat/1/2")
    (found,) = datasets.page("Parcel desk").rows
    assert found == row
    assert (found.messages, found.answer, found.source) == (ASKED, "On its way.", "chat/1/2")
    assert [(one.name, one.rows, one.pairs) for one in datasets.listed()] == [("Parcel desk", 1, 0)]


def test_an_empty_dataset_is_listed_and_its_name_is_taken() -> None:
    assert datasets.create("desk").rows == 0
    assert datasets.page("desk").total == 0
    with pytest.raises(BadInput, match="already"):
        datasets.create("desk")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "a/b",
        "../a",
        "a\\b",
        "a.jsonl",
        ".hidden",
        "-a",
        "a ",
        "nul",
        "COM1",
        "a\nb",
        "a\0b",
        "x" * 61,
        "\ud800",
    ],
)
def test_names_that_could_leave_the_folder_are_refused(name: str, data: Path) -> None:
    for act in (
        lambda: datasets.append(name, ASKED, "yes"), lambda: datasets.page(name), lambda: datasets.create(name),
        lambda: datasets.remove(name),
    ):  # fmt: skip
        with pytest.raises(BadInput, match="name"):
            act()
    assert not (data / "datasets").exists()


@pytest.mark.parametrize("name", ["desk", "Rückfragen 2026", "日本語", "a", "x" * 60])
def test_names_of_any_language_are_taken(name: str) -> None:
    datasets.append(name, ASKED, "yes")
    assert [one.name for one in datasets.listed()] == [name]


@pytest.mark.parametrize(
    ("messages", "answer", "why"),
    [
        (ASKED, "  ", "answer is empty"), ((), "yes", "input is empty"), (ASKED, "\ud800", "surrogate"),
        (ASKED, "x" * (9 << 20), "bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_refused(messages: tuple[Message, ...], answer: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        datasets.append("desk", messages, answer)
    assert datasets.listed() == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=SURELY_TEXT, answer=SURELY_TEXT, source=st.text(max_size=400))
def test_any_text_comes_back(question: str, answer: str, source: str) -> None:
    row = datasets.append("any", (Message("user", question),), answer, source)
    total = datasets.page("any", 0, 0).total
    (found,) = datasets.page("any", total - 1, 1).rows
    assert found == row
    assert found.messages == (Message("user", question),)
    assert found.answer == (answer if "\n" in answer.strip() else answer.strip())


def test_a_row_is_changed_by_its_id_and_keeps_its_other_fields() -> None:
    rows = [datasets.append("desk", ASKED, f"answer {n}", f"chat/{n}") for n in range(5)]
    changed = datasets.edit_row("desk", rows[2].id, (Message("user", "Really?"),), "Yes.", rows[2].version)
    found = datasets.page("desk").rows
    assert [row.answer for row in found] == ["answer 0", "answer 1", "Yes.", "answer 3", "answer 4"]
    assert found[2] == changed
    assert (changed.id, changed.source, changed.added_s) == (rows[2].id, "chat/2", rows[2].added_s)


def test_a_second_window_changes_nothing_that_it_has_not_seen() -> None:
    row = datasets.append("desk", ASKED, "one")
    other = datasets.append("desk", ASKED, "two")
    datasets.edit_row("desk", row.id, ASKED, "uno", row.version)
    with pytest.raises(BadInput, match="another window"):
        datasets.edit_row("desk", row.id, ASKED, "un", row.version)
    with pytest.raises(BadInput, match="another window"):
        datasets.delete_row("desk", row.id, row.version)
    datasets.delete_row("desk", row.id)
    with pytest.raises(Missing):
        datasets.edit_row("desk", row.id, ASKED, "un")
    with pytest.raises(Missing):
        datasets.row("desk", row.id)
    assert [found.id for found in datasets.page("desk").rows] == [other.id]


def test_rows_of_others_have_ids_too() -> None:
    file = datasets.path_of("theirs")
    file.parent.mkdir(parents=True)
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello", "weight": 1}]
    rows = [{"messages": turns}, {"messages": turns, "id": 7, "tools": [{"id": "x"}]}, {"messages": turns, "id": 'é"x'}]
    text = "\ufeff" + "\n\n".join(json.dumps(row) for row in rows) + "\nnot json\n[1]\n" + json.dumps(rows[0])
    file.write_text(text, encoding="utf-8")
    page = datasets.page("theirs")
    assert (page.total, len(page.rows)) == (6, 6)
    assert [bool(row.fault) for row in page.rows] == [False, False, False, True, True, False]
    assert page.rows[3].text == "not json"
    for row in (page.rows[1], page.rows[2]):
        assert datasets.row("theirs", row.id).place == row.place
    edited = datasets.edit_row("theirs", page.rows[1].id, page.rows[1].messages, "good day", page.rows[1].version)
    assert edited.fields["tools"] == [{"id": "x"}]
    datasets.delete_row("theirs", page.rows[3].id)
    datasets.append("theirs", ASKED, "after a line without an end")
    assert [row.answer for row in datasets.page("theirs").rows] == [
        "hello", "good day", "hello", "", "hello", "after a line without an end",
    ]  # fmt: skip


def test_a_kill_in_mid_write_costs_one_row() -> None:
    datasets.append("desk", ASKED, "one")
    with datasets.path_of("desk").open("ab") as file:
        file.write(b'{"messages": [{"role": "us')
    datasets.append("desk", ASKED, "two")
    assert [(row.answer, bool(row.fault)) for row in datasets.page("desk").rows] == [
        ("one", False),
        ("", True),
        ("two", False),
    ]


def test_pages_follow_what_other_programs_do_to_the_file() -> None:
    fill("desk", 10)
    file = datasets.path_of("desk")
    assert datasets.page("desk", 8, 5).rows[-1].answer == "answer 2"
    with file.open("a", encoding="utf-8") as out:
        out.write(
            json.dumps({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "new"}]}) + "\n"
        )
    assert datasets.page("desk", 10, 5).rows[0].answer == "new"
    fill("desk", 3)  # the same file, shorter
    assert [row.id for row in datasets.page("desk").rows] == ["row0", "row1", "row2"]
    file.unlink()
    with pytest.raises(Missing):
        datasets.page("desk")


def test_a_hundred_thousand_rows_are_read_page_by_page() -> None:
    fill("big", 100_000)
    size = datasets.path_of("big").stat().st_size
    assert datasets.page("big", 0, 1).total == 100_000  # looks once where lines begin
    started = time.process_time()
    for start in range(0, 100_000, 1000):
        page = datasets.page("big", start, 20)
        assert page.rows[0].id == f"row{start}"
    pages_s = (time.process_time() - started) / 100
    started = time.process_time()
    for n in range(20):
        datasets.append("big", ASKED, f"more {n}")
        assert datasets.page("big", 100_000 + n, 1).rows[0].answer == f"more {n}"
    append_s = (time.process_time() - started) / 20
    started = time.process_time()
    datasets.edit_row("big", "row99999", ASKED, "changed")
    edit_s = time.process_time() - started
    print(
        f"{size / 1e6:.0f} MB: page {1e3 * pages_s:.2f} ms, append {1e3 * append_s:.2f} ms, edit {1e3 * edit_s:.0f} ms"
    )
    assert pages_s < 0.05
    assert append_s < 0.05
    assert datasets.page("big", 99_999, 1).rows[0].answer == "changed"
    assert datasets.get("big").rows == 100_020


def test_writers_of_several_processes_lose_nothing(data: Path) -> None:
    program = (
        "import sys\nfrom chapeta.examples import datasets\nfrom chapeta.types import Message\n"
        "for n in range(60): datasets.append('shared', (Message('user', 'q'),), f'{sys.argv[1]}-{n}')"
    )
    kept = [datasets.append("shared", ASKED, f"old {n}") for n in range(10)]
    others = [subprocess.Popen([sys.executable, "-c", program, str(n)], env=dict(os.environ)) for n in range(2)]
    threads = [threading.Thread(target=datasets.delete_row, args=("shared", row.id)) for row in kept]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while any(other.poll() is None for other in others):
        datasets.page("shared", 0, 10)
    assert [other.returncode for other in others] == [0, 0]
    answers = [row.answer for row in datasets.page("shared", 0, 1000).rows]
    assert sorted(answers) == sorted(f"{who}-{n}" for who in (0, 1) for n in range(60))
    assert [answer for answer in answers if answer.startswith("0-")] == [f"0-{n}" for n in range(60)]


def test_preference_pairs_lie_beside_in_openais_form() -> None:
    pair = datasets.append_pair("desk", ASKED, "On its way.", "No idea.", "chat/3")
    file = datasets.path_of("desk").with_name("desk.preferences.jsonl")
    value = json.loads(file.read_text(encoding="utf-8"))
    assert value["input"]["messages"][-1] == {"role": "user", "content": "Where is my parcel?"}
    assert value["preferred_output"] == [{"role": "assistant", "content": "On its way."}]
    assert value["non_preferred_output"] == [{"role": "assistant", "content": "No idea."}]
    assert datasets.pairs("desk") == (1, (pair,))
    assert [(one.name, one.rows, one.pairs) for one in datasets.listed()] == [("desk", 0, 1)]
    with pytest.raises(BadInput, match="same"):
        datasets.append_pair("desk", ASKED, "a", "a ")
    datasets.remove_pair("desk", pair.id)
    assert datasets.pairs("desk") == (0, ())


def test_a_dataset_is_renamed_and_removed_with_its_pairs() -> None:
    datasets.append("one", ASKED, "yes")
    datasets.append_pair("one", ASKED, "yes", "no")
    datasets.append("two", ASKED, "yes")
    with pytest.raises(BadInput, match="already"):
        datasets.rename("one", "two")
    assert datasets.rename("one", "three").pairs == 1
    datasets.remove("three")
    assert [one.name for one in datasets.listed()] == ["two"]
    with pytest.raises(Missing):
        datasets.remove("three")


def test_any_file_of_examples_comes_in(tmp_path: Path) -> None:
    file = tmp_path / "desk.csv"
    file.write_text("text,label,group\nwhere is it,delivery,a\nrefund me,billing,b\n,empty,c\n", encoding="utf-8")
    added, bad = datasets.import_file("desk", file)
    assert (added, [row.line for row in bad]) == (2, [4])
    assert [(row.messages[0].content, row.answer, row.source) for row in datasets.page("desk").rows] == [
        ("where is it", "delivery", "desk.csv"), ("refund me", "billing", "desk.csv"),
    ]  # fmt: skip


def test_the_readers_take_the_file_as_it_is() -> None:
    for n in range(40):
        datasets.append(
            "desk", (Message("user", f"case {n * 37}: {'parcel' if n % 2 else 'invoice'} {n}"),), "ab"[n % 2], "chat/1"
        )
    rows = list(read(datasets.path_of("desk")))
    assert all(isinstance(row, Example) for row in rows)
    report = datasets.check("desk")
    assert (report.format, report.good, report.bad) == ("OpenAI chat JSONL", 40, 0)
    assert report.labels == {"a": 20, "b": 20}
    splits = datasets.split("desk")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 40


def test_a_place_that_cannot_be_written_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "file").write_text("")
    monkeypatch.setenv("CHAPETA_HOME", str(data / "file"))
    with pytest.raises(BadInput, match="Cannot write"):
        datasets.append("desk", ASKED, "two")


def test_a_foreign_file_does_not_hide_the_others(data: Path) -> None:
    datasets.append("desk", ASKED, "one")
    (data / "datasets" / "huge.jsonl").write_bytes(b"x" * (9 << 20))
    assert {(one.name, one.rows) for one in datasets.listed()} == {("desk", 1), ("huge", 0)}
    with pytest.raises(BadInput, match="longer than 8 MB"):
        datasets.page("huge")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=40), max_size=8))
def test_the_index_agrees_with_reading_the_file_whole(data: Path, pieces: list[bytes]) -> None:
    """The file grows by any bytes; after each piece the lines are those of the whole file."""
    file = data / "any.jsonl"
    file.write_bytes(b"")
    for piece in pieces:
        with file.open("ab") as out:
            out.write(piece)
        content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        expected = [line.rstrip(b"\r\n") for line in content.split(b"\n") if line.strip()]
        total, found = lines.read(file, 0, 1000)
        assert (total, found) == (len(expected), expected)
        assert list(lines.each(file)) == expected
