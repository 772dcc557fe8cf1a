"""`chapeta chats`: import, export, list, search, as a user types them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from command import chapeta

from chapeta.errors import BadInput
from chapeta.types import Json


def conversation(title: str, answer: str = "The Forum.") -> Json:
    """A chat as ChatGPT exports it today."""
    question = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["What to see?"]}}
    reply = {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": [answer]}}
    mapping = {
        "q": {"id": "q", "parent": None, "message": question | {"create_time": 1767225600.0}},
        "a": {"id": "a", "parent": "q", "message": reply | {"create_time": 1767225660.0}},
    }
    given: Json = {"id": f"id-{title}", "title": title, "create_time": 1767225600.0, "mapping": mapping}
    return given | {"current_node": "a", "default_model_slug": "gpt-5"}


@pytest.fixture
def exported(tmp_path: Path, empty_home: Path) -> Path:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations-000.json", json.dumps([conversation("Rome")]))
        archive.writestr("conversations-001.json", json.dumps([conversation("Oslo \x1b[31mred", "A fjord.")])[:-40])
        archive.writestr("conversations-002.json", json.dumps([conversation("Bonn", "A museum.")]))
        archive.writestr("user.json", "{}")
    return path


def test_import_list_search_export(exported: Path, tmp_path: Path) -> None:
    done = chapeta("chats", "import", str(exported), "--folder", "Old")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "2 chats with 4 turns and 0 attachments came over"
    assert "conversations-001.json, byte 1" in done.stdout and "the file breaks off after byte" in done.stdout
    assert "2 chats were there already" in chapeta("chats", "import", str(exported)).stdout

    listed = chapeta("chats", "list").stdout.splitlines()
    assert len(listed) == 2
    assert any("Rome  (Old)" in line for line in listed)
    rows = json.loads(chapeta("chats", "list", "--json", "--limit", "1").stdout)["chats"]
    assert [(row["folder"], row["created"]) for row in rows] == [("Old", "2026-01-01T00:00:00+00:00")]

    assert "The Forum." in chapeta("chats", "search", "forum").stdout
    (hit,) = json.loads(chapeta("chats", "search", "museum", "--json").stdout)["hits"]
    assert (hit["title"], hit["snippet"], hit["role"]) == ("Bonn", "A museum.", "assistant")
    assert chapeta("chats", "search", "nowhere").stdout == "nothing found\n"

    out = tmp_path / "all.json"
    assert chapeta("chats", "export", "--format", "json", "--out", str(out)).returncode == 0
    assert [record["chat"]["folder"] for record in json.loads(out.read_text())] == ["Old", "Old"]
    told = json.loads(chapeta("chats", "export", "--out", str(tmp_path / "all.zip"), "--json").stdout)
    assert (told["chats"], told["turns"], told["left_out"]) == (2, 4, 0)
    done = chapeta("chats", "export", hit["chat"], "--out", str(tmp_path / "one.md"))
    assert done.stdout.startswith(f"{tmp_path / 'one.md'}: 1 chats, ")
    assert "A museum." in (tmp_path / "one.md").read_text()
    chapeta("chats", "export", "--format", "jsonl", "--out", str(tmp_path / "rows.jsonl"))
    rows = [json.loads(line)["messages"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sorted(row[1]["content"] for row in rows) == ["A museum.", "The Forum."]


def test_the_report_as_json(exported: Path) -> None:
    told = json.loads(chapeta("chats", "import", str(exported), "--json").stdout)
    assert {name: told[name] for name in ("chats", "turns", "attachments", "grown", "already_there")} == {
        "chats": 2, "turns": 4, "attachments": 0, "grown": 0, "already_there": 0,
    }  # fmt: skip
    assert {item["what"].partition(",")[0] for item in told["skipped"]} == {"conversations-001.json", "user.json"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["import"], "takes one file or folder"),
        (["import", "a", "b"], "takes one file or folder"),
        (["import", "nowhere.zip"], "does not exist"),
        (["import", "x", "--format", "md"], "`chats import` has no --format"),
        (["list", "x"], "takes no words"),
        (["list", "--limit", "0"], "--limit 0 shows nothing"),
        (["list", "--out", "x"], "`chats list` has no --out"),
        (["search"], "needs words"),
        (["search", "x", "--folder", "y"], "`chats search` has no --folder"),
    ],
)
def test_wrong_words(words: list[str], why: str, empty_home: Path) -> None:
    done = chapeta("chats", *words)
    assert done.returncode == 2
    assert why in done.stderr.splitlines()[-1]


def test_an_unknown_chat_and_an_empty_list(empty_home: Path, tmp_path: Path) -> None:
    assert chapeta("chats", "list").stdout.startswith("no chats yet")
    done = chapeta("chats", "export", "nothing", "--out", str(tmp_path / "x.md"))
    assert (done.returncode, done.stdout) == (4, "")
    assert list(tmp_path.glob("*.md")) == []


def test_titles_do_not_move_the_cursor(empty_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps([conversation("\x1b[2J\x07evil\u202e", "\x1b[2Jtext here")]), encoding="utf-8")
    for words in (["import", str(path)], ["list"], ["search", "text"]):
        done = chapeta("chats", *words)
        assert "\x1b" not in done.stdout and "\x07" not in done.stdout and "\u202e" not in done.stdout


def test_a_file_that_is_no_export(empty_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"messages": []}\n')
    done = chapeta("chats", "import", str(path))
    assert done.returncode == BadInput.exit_code
    assert "holds no chats: rows.jsonl (JSON with messages). Give the ZIP of a ChatGPT" in done.stderr
