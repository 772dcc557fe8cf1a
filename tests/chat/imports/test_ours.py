"""Our own JSON: what is written is read again as it was, and what a stranger wrote in its form does no harm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_exports import png, read_all, write_json

from chapeta.chat.export import export
from chapeta.chat.imports import ours
from chapeta.chat.imports.tree import Skips, Tree
from chapeta.chat.types import Attachment, Chat, Summary, Turn
from chapeta.types import Json

text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
number = st.none() | st.integers(0, 10**9)
figure = st.none() | st.floats(0, 1e6)
moments = st.floats(0, 4e9)


@st.composite
def whole_trees(draw: st.DrawFn) -> Tree:
    """Chats of any shape, with everything set that can be set."""
    turns: list[Turn] = []
    for n in range(draw(st.integers(1, 8))):
        above = draw(st.sampled_from([None, *(turn.id for turn in turns)]))
        turns.append(
            Turn(
                id=f"t{n}", chat_id="c1", parent_id=above, role=draw(st.sampled_from(("user", "assistant"))),
                text=draw(text), status=draw(st.sampled_from(("done", "stopped", "failed", "cut"))),
                created_at=draw(moments), reasoning=draw(text), model=draw(text), skill=draw(text),
                skill_version=draw(text), skill_by=draw(st.sampled_from(("", "hand", "always", "model"))),
                call_id=draw(text), tokens_in=draw(number), tokens_out=draw(number), tokens_cached=draw(number),
                usd=draw(figure), latency_ms=draw(figure), first_token_ms=draw(figure),
                error=draw(st.none() | st.dictionaries(text, text | st.integers(-9, 9), max_size=2)),
            )
        )  # fmt: skip
    files = [Attachment("a1", "t0", draw(text), "image/png", len(png()), "image", draw(number), draw(text), png())]
    files += [Attachment("a2", turns[-1].id, "n.md", "text/markdown", 5, "relevant", draw(number), draw(text))]
    chat = Chat(
        "c1", draw(text), draw(text), draw(st.booleans()), tuple(draw(st.lists(text, max_size=2))), draw(moments),
        draw(moments), draw(text), draw(text), draw(st.sampled_from(turns)).id,
    )  # fmt: skip
    return Tree(chat, tuple(turns), tuple(files), (Summary("s1", "c1", "t0", draw(text), draw(number), draw(moments)),))


def written(trees: list[Tree], path: Path) -> Path:
    data = {file.id: file.data for tree in trees for file in tree.attachments}
    return export(trees, "json", path, data.get).path


@settings(max_examples=40)
@given(whole_trees())
def test_what_is_written_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    found, skips = read_all(written([tree], tmp_path_factory.mktemp("ours") / "chats.json"))
    assert found == [tree]
    assert not skips.reasons


def turn(n: int, above: str | None = None, words: str = "x", **more: object) -> Turn:
    return replace(Turn(f"t{n}", "c1", above, "user", words, "done", 1.0), **more)  # type: ignore[arg-type]


def chat(tip: str | None = None) -> Chat:
    return Chat("c1", "Title", "", False, (), 1.0, 2.0, "", "", tip)


def test_a_large_chat_is_spread_over_records_that_are_read_as_one(tmp_path: Path) -> None:
    words = "word " * 200_000
    tree = Tree(chat("t19"), tuple(turn(n, f"t{n - 1}" if n else None, words) for n in range(20)))
    found, skips = read_all(written([tree], tmp_path / "chats.json"))
    assert [part.part for part in found] == [1, 2, 3]
    assert sum((part.turns for part in found), ()) == tree.turns
    assert {part.chat for part in found} == {tree.chat}
    assert not skips.reasons


def test_no_chats_are_a_list_without_any(tmp_path: Path) -> None:
    assert json.loads(written([], tmp_path / "chats.json").read_text()) == []


def record(**changes: object) -> Json:
    (given_record,) = ours.records(Tree(chat("t0"), (turn(0),)))
    import msgspec

    return {**json.loads(msgspec.json.encode(given_record)), **changes}


def test_a_stream_that_was_exported_was_cut() -> None:
    tree = ours.read(record(turns=[{**record()["turns"][0], "status": "streaming"}]), Skips())
    assert tree is not None and tree.turns[0].status == "cut"


@pytest.mark.parametrize(
    "changes",
    [
        {"chat": None},
        {"chat": {"id": "c1"}},
        {"chat": {**record()["chat"], "id": "../../x"}},
        {"chat": {**record()["chat"], "created_at": -1e300}},
        {"chat": {**record()["chat"], "updated_at": float("nan")}},
        {"turns": [{**record()["turns"][0], "role": "system"}]},
        {"turns": [{**record()["turns"][0], "chat_id": "another"}]},
        {"turns": [{**record()["turns"][0], "parent_id": "t0"}]},
        {"turns": [{**record()["turns"][0], "tokens_in": 1 << 70}]},
        {"turns": [record()["turns"][0]] * 2},
        {"turns": [{**record()["turns"][0], "id": "t1", "parent_id": "t0"}, record()["turns"][0]]},
        {"attachments": [{"id": "a", "turn_id": "no", "name": "", "media_type": "", "size": 0, "mode": "whole"}]},
        {"summaries": [{"id": "s", "chat_id": "other", "upto_id": "t0", "text": "", "tokens": 1, "created_at": 1}]},
        {"turns": "many"},
        {"part": []},
    ],
)
def test_what_is_not_sound_is_named_and_left_out(changes: Json) -> None:
    skips = Skips()
    assert ours.read(record(**changes), skips) is None
    assert "not sound" in skips.named[0].why


def test_a_newer_form_is_not_guessed_at() -> None:
    skips = Skips()
    assert ours.read(record(version=2), skips) is None
    assert skips.named[0].why == "written by a newer Chapeta: update this one"


def test_bytes_that_are_no_picture_are_not_kept() -> None:
    evil = {"id": "a", "turn_id": "t0", "name": "x.png", "media_type": "image/png", "size": 3, "mode": "image"}
    skips = Skips()
    tree = ours.read(record(attachments=[{**evil, "data": "PHN2Zz4="}]), skips)
    assert tree is not None
    assert (tree.attachments[0].data, tree.attachments[0].mode) == (None, "whole")
    assert skips.named[0].why == "a picture without its content"


def test_a_type_that_is_stated_is_not_believed() -> None:
    import base64

    given_file = {"id": "a", "turn_id": "t0", "name": "x", "media_type": "text/html", "size": 3, "mode": "image"}
    tree = ours.read(record(attachments=[{**given_file, "data": base64.b64encode(png()).decode()}]), Skips())
    assert tree is not None
    assert (tree.attachments[0].media_type, tree.attachments[0].size) == ("image/png", len(png()))


def test_records_of_others_may_stand_beside_ours(tmp_path: Path) -> None:
    found, _ = read_all(write_json(tmp_path / "x.json", [record(), {"a": 1}]))
    assert [tree.chat.id for tree in found] == ["c1"]
