"""Chats as files: Markdown, JSON, JSONL, written whole or not at all."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from chapeta.chat.export import branch, export, file_name, markdown, messages
from chapeta.chat.imports.tree import Tree
from chapeta.chat.types import Attachment, Chat, Turn
from chapeta.errors import BadInput
from chapeta.examples.check import check

T0 = 1_767_225_600.0  # 2026-01-01


def turn(key: str, above: str | None, role: str, text: str, **more: Any) -> Turn:
    given: dict[str, Any] = {"status": "done", "created_at": T0 + 60} | more
    return Turn(id=key, chat_id="c1", parent_id=above, role=role, text=text, **given)  # type: ignore[arg-type]


def sample(title: str = 'Trip: "Rome"', key: str = "c1") -> Tree:
    """A chat with a branch that is not shown and a document."""
    chat = Chat(key, title, "Travel", True, ("a", "b: c"), T0, T0 + 3600, "openrouter/x", "guide", "a2")
    turns = (
        turn("q1", None, "user", "What to see?"),
        turn("a1", "q1", "assistant", "The Forum.", model="openrouter/x", usd=0.25, tokens_in=10, tokens_out=5),
        turn("a1b", "q1", "assistant", "Nothing.", model="local", usd=None),
        turn("q2", "a1", "user", "And *this*?"),
        turn("a2", "q2", "assistant", "## Yes\n\nA path.", model="openrouter/x", skill="guide", usd=0.5, tokens_in=20,
             tokens_out=7, reasoning="Look.\n\nThink.", status="stopped"),
    )  # fmt: skip
    file = Attachment("f1", "q2", "map.md", "text/markdown", 12, "whole", 3, "Left, then ```right```")
    return Tree(chat, turns, (file,))


def nothing(_: str) -> bytes | None:
    return None


def test_markdown_of_a_chat() -> None:
    head, body = markdown(sample()).removeprefix("---\n").split("---\n", 1)
    assert yaml.safe_load(head) == {
        "title": 'Trip: "Rome"', "id": "c1", "created": "2026-01-01T00:00:00+00:00", "folder": "Travel",
        "updated": "2026-01-01T01:00:00+00:00", "model": "openrouter/x", "skill": "guide", "tags": ["a", "b: c"],
        "tokens_in": 30, "tokens_out": 12, "usd": 0.75, "answers_of_unknown_cost": 1, "branches_not_shown": 1,
    }  # fmt: skip
    assert (
        body
        == """
# Trip: "Rome"

## You · 2026-01-01 00:01 UTC

What to see?

## openrouter/x · 2026-01-01 00:01 UTC

The Forum.

## You · 2026-01-01 00:01 UTC

*map.md (text/markdown, 12 bytes)*

And *this*?

## openrouter/x · 2026-01-01 00:01 UTC

> Look.
>
> Think.

## Yes

A path.

*(stopped)*
"""
    )


@pytest.mark.parametrize(
    "title", ["---\nmodel: evil", "a: b # c", "\u2028x\x85\ufeff", "😀 'q'", "", "\ttab\x7f", "null"]
)
def test_no_title_breaks_the_head(title: str) -> None:
    tree = sample()
    text = markdown(replace(tree, chat=replace(tree.chat, title=title)))
    head = text.removeprefix("---\n").split("\n---\n", 1)[0]
    assert yaml.safe_load(head)["title"] == title
    assert yaml.safe_load(head)["model"] == "openrouter/x"


def test_a_row_to_fine_tune_with(tmp_path: Path) -> None:
    done = export([sample()], "jsonl", tmp_path / "rows.jsonl", nothing)
    (line,) = done.path.read_text().splitlines()
    assert json.loads(line) == {
        "messages": [
            {"role": "user", "content": "What to see?"},
            {"role": "assistant", "content": "The Forum."},
            {"role": "user", "content": "map.md:\n````\nLeft, then ```right```\n````\n\nAnd *this*?"},
            {"role": "assistant", "content": "## Yes\n\nA path."},
        ]
    }


def test_rows_begin_with_a_question_and_end_with_an_answer() -> None:
    tree = sample()
    turns = (
        turn("0", None, "assistant", "Hello!"),
        turn("1", "0", "user", "One"),
        turn("2", "1", "assistant", "no", status="failed"),
        turn("3", "2", "user", "Two"),
        turn("4", "3", "assistant", "Three"),
        turn("5", "4", "user", "Left alone"),
    )
    rows = messages(Tree(replace(tree.chat, tip_id="5"), turns))
    assert [(row["role"], row["content"]) for row in rows] == [("user", "One\n\nTwo"), ("assistant", "Three")]
    assert messages(Tree(replace(tree.chat, tip_id="1"), turns)) == []


def test_our_own_check_takes_the_rows(tmp_path: Path) -> None:
    trees = [replace(sample(), chat=replace(sample().chat, id=f"c{n}")) for n in range(3)]
    done = export([*trees, Tree(sample().chat, ())], "jsonl", tmp_path / "rows.jsonl", nothing)
    assert (done.chats, done.turns, done.left_out) == (4, 15, 1)
    assert check(done.path).rows == 3


def test_several_chats_are_a_zip_of_markdown(tmp_path: Path) -> None:
    trees = [sample(), sample("../../etc/passwd", "c2"), sample("Größe & 東京", "c3"), sample("", "c4")]
    done = export(trees, "md", tmp_path / "chats.zip", nothing)
    with zipfile.ZipFile(done.path) as archive:
        assert archive.namelist() == ["trip-rome-c1.md", "etc-passwd-c2.md", "größe-東京-c3.md", "chat-c4.md"]
        assert archive.read("trip-rome-c1.md").decode() == markdown(sample())
    with pytest.raises(BadInput, match="there are several chats"):
        export(trees, "md", tmp_path / "chats.md", nothing)
    assert not (tmp_path / "chats.md").exists()


def test_a_file_is_whole_private_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "chats.json"

    def breaking() -> Iterator[Tree]:
        yield sample()
        raise KeyError("the database went away")

    with pytest.raises(KeyError):
        export(breaking(), "json", path, nothing)
    assert list(path.parent.iterdir()) == []
    export([sample()], "json", path, nothing)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(KeyError):
        export(breaking(), "json", path, nothing)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["chats.json"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="Cannot write") as caught:
        export([sample()], "md", tmp_path / "file" / "chats.md", nothing)
    assert "--out" in caught.value.remedy


def test_a_ring_of_parents_ends() -> None:
    turns = (turn("a", "b", "user", "x"), turn("b", "a", "assistant", "y"))
    assert len(branch(Tree(replace(sample().chat, tip_id="a"), turns))) == 2


def test_names_of_files_are_short(tmp_path: Path) -> None:
    assert file_name(sample("x" * 500, "0123456789abcdef").chat, ".md") == f"{'x' * 60}-01234567.md"
