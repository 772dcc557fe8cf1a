"""Claude's conversations as trees: parents, old exports without them, blocks, attachments, damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sample_exports import ROOT, claude, lines, message, parcel, read_all, write_json, write_zip

from chapeta.chat.imports import claude as reader
from chapeta.chat.imports.tree import Skips, Tree
from chapeta.types import Json


def one(tmp_path: Path, conversation: Json) -> tuple[Tree, Skips]:
    (tree,), skips = read_all(write_json(tmp_path / "conversations.json", [conversation]))
    return tree, skips


def test_branches_come_over_as_branches(tmp_path: Path) -> None:
    tree, skips = one(tmp_path, parcel())
    assert lines(tree) == {
        "Where is my parcel?": "",
        "On its way.": "Where is my parcel?",
        "Since when?": "On its way.",
        "Who carries it?": "On its way.",
        "The post.": "Who carries it?",
    }
    assert tree.chat.tip_id == tree.turns[-1].id
    assert (tree.chat.title, tree.chat.created_at) == ("Parcel", 1774767994.084721)
    assert tree.turns[0].created_at == 1774771260.0
    assert not skips.reasons


def test_the_leaf_that_claude_shows_is_shown(tmp_path: Path) -> None:
    tree, _ = one(tmp_path, parcel(current_leaf_message_uuid="q2", model="claude-opus-5"))
    by_text = {turn.text: turn for turn in tree.turns}
    assert tree.chat.tip_id == by_text["Since when?"].id
    assert (by_text["The post."].model, by_text["Since when?"].model) == ("claude-opus-5", "")


def test_an_old_export_without_parents_is_one_line(tmp_path: Path) -> None:
    texts = [("human", "A"), ("assistant", "B"), ("human", "C")]
    flat = [message(f"m{n}", None, sender, text, n, content=[]) for n, (sender, text) in enumerate(texts)]
    tree, _ = one(tmp_path, claude(flat))
    assert lines(tree) == {"A": "", "B": "A", "C": "B"}


def test_the_whole_archive(tmp_path: Path) -> None:
    files = {
        "users.json": [{"uuid": "acc", "full_name": "Jane", "email_address": "j@example.org"}],
        "projects.json": [{"uuid": "p", "name": "Move", "docs": []}],
        "conversations.json": [parcel("one", project={"uuid": "p", "name": "Move"}), parcel("two")],
    }
    found, skips = read_all(write_zip(tmp_path / "data-2026-03-29-batch-0000.zip", files))
    assert [(tree.chat.title, tree.chat.folder) for tree in found] == [("one", "Move"), ("two", "")]
    assert [(s.what, s.why) for s in skips.named] == [
        ("projects.json", "holds no chat"),
        ("users.json", "holds no chat"),
    ]


def test_blocks(tmp_path: Path) -> None:
    blocks = [
        {"type": "thinking", "thinking": "Look first."},
        {"type": "text", "text": "Here:"},
        {
            "type": "tool_use",
            "name": "artifacts",
            "input": {"title": "Plan", "content": "# 1", "type": "text/markdown"},
        },
        {"type": "tool_use", "name": "create_file", "input": {"path": "/tmp/a.py", "file_text": "print(1)\n```"}},
        {"type": "tool_use", "name": "web_search", "input": {"query": "q"}},
        {"type": "tool_result", "name": "web_search", "content": [{"type": "text", "text": "found"}]},
        {"type": "token_budget"},
        {"type": "voice_note", "title": "", "text": "Spoken."},
        {"type": "hologram"},
    ]
    messages = [message("q", ROOT, "human", "Q"), message("a", "q", "assistant", "flat", 1, content=blocks)]
    tree, skips = one(tmp_path, claude(messages))
    assert tree.turns[1].text == "Here:\n\nPlan\n\n```\n# 1\n```\n\na.py\n\n````\nprint(1)\n```\n````\n\nSpoken."
    assert tree.turns[1].reasoning == "Look first."
    assert skips.reasons == {
        "what Claude asked of a tool": 1,
        "what a tool of Claude answered": 1,
        "a block of a kind that is not known (hologram)": 1,
    }


def test_attachments_come_with_the_text_that_claude_took(tmp_path: Path) -> None:
    attached = [
        {"file_name": "bill.pdf", "file_size": 900, "file_type": "application/pdf", "extracted_content": "Total 12"},
        {"file_name": "", "file_size": 5, "file_type": "txt", "extracted_content": "a long paste"},
    ]
    files = [{"file_uuid": "f1", "file_name": "photo.jpg", "file_kind": "image"}]
    tree, skips = one(tmp_path, claude([message("q", ROOT, "human", "", attachments=attached, files=files)]))
    assert [(a.name, a.media_type, a.size, a.mode, a.text) for a in tree.attachments] == [
        ("bill.pdf", "application/pdf", 900, "whole", "Total 12"),
        ("pasted text.txt", "text/plain", 5, "whole", "a long paste"),
        ("photo.jpg", "application/octet-stream", 0, "whole", ""),
    ]
    assert [(s.what, s.why) for s in skips.named] == [("photo.jpg", "a file whose content is not in the export")]


def test_an_empty_message_does_not_break_the_line(tmp_path: Path) -> None:
    messages = [
        message("q", ROOT, "human", "Q"),
        message("empty", "q", "assistant", "", 1, content=[]),
        message("q2", "empty", "human", "Hello?", 2),
    ]
    tree, _ = one(tmp_path, claude(messages))
    assert lines(tree) == {"Q": "", "Hello?": "Q"}


def test_a_chat_without_a_message_is_named(tmp_path: Path) -> None:
    found, skips = read_all(write_json(tmp_path / "c.json", [claude([], "Nothing here"), parcel()]))
    assert len(found) == 1
    assert [(s.what, s.why) for s in skips.named] == [("Nothing here", "a chat without a message")]


def test_a_ring_twins_and_a_parent_that_is_not_there(tmp_path: Path) -> None:
    messages = [
        message("a", "b", "human", "ring"),
        message("b", "a", "assistant", "ring too"),
        message("c", "gone", "human", "found"),
        message("c", "c", "assistant", "twin", 1),
    ]
    tree, skips = one(tmp_path, claude(messages))
    assert lines(tree) == {"found": "", "twin": "found"}
    assert skips.reasons == {"messages that hang in a ring, below nothing": 2}


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda v: st.lists(v, max_size=3)),
    st.data(),
)
def test_fields_of_a_wrong_type_are_survived(wrong: Any, data: st.DataObject) -> None:
    chat = json.loads(json.dumps(parcel()))
    places: list[tuple[Json, str]] = [(chat, key) for key in chat if key != "chat_messages"]
    for given_message in chat["chat_messages"]:
        places += [(given_message, key) for key in given_message]
        places += [(given_message["content"][0], key) for key in ("type", "text")]
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = wrong
    reader.read(chat, Skips())
