"""ChatGPT's conversations as trees: branches, what makes one answer, what is hidden, files, damage."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, BinaryIO

from hypothesis import given
from hypothesis import strategies as st
from sample_exports import T0, as_in_2026, chatgpt, lines, png, read_all, rome, said, write_json, write_zip

from chapeta.chat.imports import chatgpt as reader
from chapeta.chat.imports.archive import Member, open_archive
from chapeta.chat.imports.assets import Assets
from chapeta.chat.imports.tree import Skips, Tree
from chapeta.types import Json


def one(tmp_path: Path, conversation: Json, **files: object) -> tuple[Tree, Skips]:
    """The only chat of an export, with other files in it."""
    named: dict[str, object] = {"conversations.json": [conversation], **files}
    (tree,), skips = read_all(write_zip(tmp_path / "export.zip", named))
    return tree, skips


def test_branches_come_over_as_branches(tmp_path: Path) -> None:
    tree, skips = one(tmp_path, rome())
    assert lines(tree) == {
        "What to see in Rome?": "",
        "The Forum.": "What to see in Rome?",
        "The Pantheon.": "What to see in Rome?",
        "How do I get there?": "The Pantheon.",
        "When is it open?": "The Pantheon.",
        "From 9 to 19.": "When is it open?",
    }
    by_text = {turn.text: turn for turn in tree.turns}
    assert tree.chat.tip_id == by_text["From 9 to 19."].id
    assert (by_text["The Pantheon."].model, by_text["The Forum."].model) == ("o3", "gpt-5")
    assert by_text["The Forum."].created_at == T0 + 2
    assert (tree.chat.title, tree.chat.created_at, tree.chat.updated_at) == ("Trip to Rome", T0, T0 + 99)
    assert [turn.role for turn in tree.turns[:2]] == ["user", "assistant"]
    assert not skips.reasons


def test_the_slim_form_of_2026_gives_the_same_chat(tmp_path: Path) -> None:
    old, _ = one(tmp_path, rome())
    new, skips = one(tmp_path, as_in_2026(rome()))
    assert new == old
    assert not skips.reasons


def test_a_message_without_metadata_has_the_chats_model(tmp_path: Path) -> None:
    chat = as_in_2026(rome())
    for node in chat["mapping"].values():
        (node["message"] or {}).pop("metadata", None)
    tree, _ = one(tmp_path, chat)
    assert {turn.model for turn in tree.turns if turn.role == "assistant"} == {"gpt-5"}


def test_many_files_are_one_export(tmp_path: Path) -> None:
    files: dict[str, object] = {f"conversations-{n:03}.json": [rome(f"{n}-{k}") for k in range(3)] for n in range(52)}
    files |= {"user.json": {"id": "user-1", "email": "me@example.org"}, "chat.html": "<html></html>"}
    files |= {"export_manifest.json": {"version": 1, "logical_files": {"conversations.json": {"files": []}}}}
    found, skips = read_all(write_zip(tmp_path / "export.zip", files))
    assert [tree.chat.title for tree in found[:4]] == ["0-0", "0-1", "0-2", "1-0"]
    assert len(found) == 156
    assert {(s.what, s.why) for s in skips.named} == {
        ("user.json", "holds no chat"),
        ("export_manifest.json", "holds no chat"),
    }


def test_a_file_a_chat_and_a_wrapped_list(tmp_path: Path) -> None:
    folder = tmp_path / "export" / "conversations"
    folder.mkdir(parents=True)
    write_json(folder / "one.json", rome("one"))
    write_json(folder / "two", {"conversations": [rome("two"), rome("three")]})
    found, _ = read_all(tmp_path / "export")
    assert [tree.chat.title for tree in found] == ["one", "two", "three"]


def test_what_makes_one_answer_is_one_turn(tmp_path: Path) -> None:
    nodes: dict[str, tuple[str | None, Json | None]] = {
        "q": (None, said("user", "Mean of the file?", at=1)),
        "think": (
            "q",
            said(
                "assistant",
                at=2,
                body={"content_type": "thoughts", "thoughts": [{"summary": "Plan", "content": "Add up."}]},
            ),
        ),
        "recap": (
            "think",
            said("assistant", at=3, body={"content_type": "reasoning_recap", "content": "Thought for 8s"}),
        ),
        "say": ("recap", said("assistant", "Let me see.", at=4)),
        "code": (
            "say",
            said(
                "assistant",
                at=5,
                body={"content_type": "code", "language": "python", "text": "mean(x)"},
                recipient="python",
            ),
        ),
        "out": ("code", said("tool", at=6, body={"content_type": "execution_output", "text": "4.2"}, name="python")),
        "web": ("out", said("tool", at=7, body={"content_type": "tether_quote", "url": "https://x", "text": "page"})),
        "end": ("web", said("assistant", "It is 4.2.", at=8, about={"model_slug": "o3"})),
        "q2": ("end", said("user", "Thanks", at=9)),
    }
    tree, skips = one(tmp_path, chatgpt(nodes, "q2"))
    assert [turn.role for turn in tree.turns] == ["user", "assistant", "user"]
    answer = tree.turns[1]
    assert answer.text == "Let me see.\n\n```python\nmean(x)\n```\n\n```\n4.2\n```\n\nIt is 4.2."
    assert answer.reasoning == "Plan\n\nAdd up.\n\nThought for 8s"
    assert (answer.model, answer.created_at) == ("o3", T0 + 2)
    assert skips.reasons == {"a web page that ChatGPT read": 1}


def test_a_fork_within_an_answer_repeats_what_stood_before_it(tmp_path: Path) -> None:
    nodes: dict[str, tuple[str | None, Json | None]] = {
        "q": (None, said("user", "Q", at=1)),
        "a": ("q", said("assistant", "Start.", at=2)),
        "b": ("a", said("assistant", "One end.", at=3)),
        "c": ("a", said("assistant", "Other end.", at=4)),
        "d": ("c", said("user", "Go on", at=5)),
    }
    tree, _ = one(tmp_path, chatgpt(nodes, "d"))
    assert lines(tree) == {
        "Q": "",
        "Start.\n\nOne end.": "Q",
        "Start.\n\nOther end.": "Q",
        "Go on": "Start.\n\nOther end.",
    }


def test_hidden_messages_and_instructions_are_counted_not_brought(tmp_path: Path) -> None:
    context = {"content_type": "user_editable_context", "user_profile": "I am 34", "user_instructions": "Be brief"}
    nodes: dict[str, tuple[str | None, Json | None]] = {
        "root": (None, None),
        "context": ("root", said("user", body=context, about={"is_visually_hidden_from_conversation": True})),
        "q": ("context", said("user", "Q", at=1)),
        "note": ("q", said("assistant", "secret note", about={"is_visually_hidden_from_conversation": True})),
        "zero": ("note", said("system", "model note", weight=0)),
        "search": ("zero", said("assistant", 'search("x")', kind="code", recipient="browser")),
        "bio": ("search", said("tool", "Model set context updated.", name="bio")),
        "a": ("bio", said("assistant", "A", at=2)),
    }
    tree, skips = one(tmp_path, chatgpt(nodes, "a"))
    assert lines(tree) == {"Q": "", "A": "Q"}
    assert skips.reasons == {
        "custom instructions and memories, which belong to ChatGPT's settings": 1,
        "a message that ChatGPT hides": 2,
        "what ChatGPT asked of a tool": 1,
        "what a tool of ChatGPT answered": 1,
    }


def test_pictures_and_documents_come_with_their_content(tmp_path: Path) -> None:
    pointer = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-Pic1", "size_bytes": 70}
    made = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_00ff", "size_bytes": 70}
    given = [
        {"id": "file-Pic1", "name": "lamp.png", "size": 70, "mime_type": "image/png"},
        {"id": "file-Doc1", "name": "notes.md", "size": 9, "mimeType": "text/markdown"},
        {"id": "file-Gone", "name": "../../etc/pass\x07wd.pdf", "size": 12345, "mime_type": "application/pdf"},
    ]
    nodes: dict[str, tuple[str | None, Json | None]] = {
        "q": (None, said("user", pointer, "What is it?", kind="multimodal_text", about={"attachments": given})),
        "made": ("q", said("tool", made, kind="multimodal_text", name="t2uay3k.sj1i4kz", at=1)),
        "a": ("made", said("assistant", "A lamp.", at=2)),
    }
    tree, skips = one(
        tmp_path,
        chatgpt(nodes, "a"),
        **{"file-Pic1.dat": png(), "file-Doc1-notes.md": "# Héllo", "user-1/file_00ff-uuid.png": png(3)},
        **{"conversation_asset_file_names.json": {"file_00ff-uuid.png": "drawn.png"}},
    )
    files = {file.name: file for file in tree.attachments}
    assert set(files) == {"lamp.png", "notes.md", "../../etc/pass wd.pdf", "drawn.png"}
    assert (files["lamp.png"].mode, files["lamp.png"].data) == ("image", png())
    assert (files["notes.md"].mode, files["notes.md"].text, files["notes.md"].data) == ("whole", "# Héllo", None)
    assert (files["drawn.png"].data, files["drawn.png"].turn_id) == (png(3), tree.turns[1].id)
    gone = files["../../etc/pass wd.pdf"]
    assert (gone.size, gone.media_type, gone.data) == (12345, "application/pdf", None)
    assert [s.what for s in skips.named if "not in the export" in s.why] == ["../../etc/pass wd.pdf"]


def test_an_svg_is_no_picture(tmp_path: Path) -> None:
    about = {"attachments": [{"id": "file-Evil", "name": "x.png", "mime_type": "image/png"}]}
    chat = chatgpt({"q": (None, said("user", "see", about=about))}, "q")
    tree, _ = one(tmp_path, chat, **{"file-Evil.png": "<svg onload=alert(1)>"})
    assert (tree.attachments[0].mode, tree.attachments[0].data) == ("whole", None)


def test_voice_canvas_and_citations(tmp_path: Path) -> None:
    spoken = {"content_type": "audio_transcription", "text": "Hello there", "direction": "in"}
    sound = {"content_type": "real_time_user_audio_video_asset_pointer", "audio_asset_pointer": {"asset_pointer": "x"}}
    canvas = json.dumps({"name": "Letter", "type": "document", "content": "Dear all"})
    mark = "\ue200cite\ue202turn0search0\ue201"
    references = [{"matched_text": mark, "alt": "([Times](https://times.example))"}]
    nodes: dict[str, tuple[str | None, Json | None]] = {
        "q": (None, said("user", spoken, sound, kind="multimodal_text")),
        "doc": ("q", said("assistant", canvas, kind="code", recipient="canmore.create_textdoc", at=1)),
        "ok": ("doc", said("tool", "Successfully created text document", name="canmore.create_textdoc", at=2)),
        "a": (
            "ok",
            said(
                "assistant",
                f"Done {mark} and \ue200cite\ue202other\ue201.",
                at=3,
                about={"content_references": references},
            ),
        ),
    }
    tree, skips = one(tmp_path, chatgpt(nodes, "a"))
    assert tree.turns[0].text == "Hello there"
    assert tree.turns[1].text == "Letter\n\nDear all\n\nDone ([Times](https://times.example)) and ."
    assert skips.reasons == {"a voice recording (what was said is here)": 1, "what a tool of ChatGPT answered": 1}


def test_an_unknown_kind_with_text_comes_over_and_without_is_named(tmp_path: Path) -> None:
    nodes: dict[str, tuple[str | None, Json | None]] = {
        "q": (None, said("user", "Q")),
        "new": ("q", said("assistant", body={"content_type": "hologram", "text": "Shine"}, at=1)),
        "odd": ("new", said("assistant", body={"content_type": "smell", "rose": 1}, at=2)),
    }
    tree, skips = one(tmp_path, chatgpt(nodes, "odd"))
    assert tree.turns[1].text == "Shine"
    assert skips.reasons == {"a message of a kind that is not known (smell)": 1}


def test_texts_that_databases_refuse_are_mended(tmp_path: Path) -> None:
    raw = json.dumps([rome("a\x00b")]).replace("The Forum.", "half \\ud83d here\\u0000")
    (tmp_path / "conversations.json").write_text(raw, encoding="utf-8")
    (tree,), _ = read_all(tmp_path / "conversations.json")
    assert tree.chat.title == "a\ufffdb"
    assert "half \ufffd here\ufffd" in lines(tree)


@given(st.integers(0, 2**32))
def test_any_tree_keeps_every_path(seed: int) -> None:
    """Read back along parents, each leaf's path says what ChatGPT's did, whatever the tree and the order of its nodes."""
    chance = random.Random(seed)
    nodes: dict[str, tuple[str | None, Json | None]] = {"n0": (None, None)}
    for n in range(1, chance.randrange(2, 25)):
        role = chance.choice(("user", "assistant"))
        hidden = {"is_visually_hidden_from_conversation": True} if chance.random() < 0.2 else {}
        nodes[f"n{n}"] = (f"n{chance.randrange(n)}", said(role, f"<{n}>", at=n, about=hidden))
    shuffled = dict(chance.sample(sorted(nodes.items()), len(nodes)))
    tree = reader.read(chatgpt(shuffled, "n1"), NO_ASSETS, Skips())
    wanted = {"".join(path(nodes, leaf)) for leaf in nodes}
    got = {"".join(turn_path(tree, turn.id)) for turn in tree.turns} if tree else set()
    assert got <= wanted
    parents = {parent for parent, _ in nodes.values()}
    leaves = {"".join(path(nodes, leaf)) for leaf in nodes if leaf not in parents}
    assert all(any(line.startswith(leaf) for line in got) for leaf in leaves - {""})
    if tree:
        seen: set[str | None] = {None}
        for turn in tree.turns:
            assert turn.parent_id in seen
            seen.add(turn.id)
        assert len(seen) == len(tree.turns) + 1


def test_a_ring_and_a_parent_that_is_not_there(tmp_path: Path) -> None:
    nodes: dict[str, tuple[str | None, Json | None]] = {
        "a": ("b", said("user", "ring")),
        "b": ("a", said("assistant", "ring too")),
        "c": ("nowhere", said("user", "found")),
        "d": ("d", said("user", "own parent")),
    }
    tree, skips = one(tmp_path, chatgpt(nodes, "a"))
    assert {turn.text for turn in tree.turns} == {"found", "own parent"}
    assert skips.reasons == {"messages that hang in a ring, below nothing": 2}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda v: st.lists(v, max_size=3), max_leaves=4
    ),
    st.data(),
)
def test_fields_of_a_wrong_type_are_survived(wrong: Any, data: st.DataObject) -> None:
    chat = json.loads(json.dumps(rome()))
    node = data.draw(st.sampled_from(sorted(chat["mapping"])))
    message = chat["mapping"][node]["message"]
    places: list[tuple[Json, str]] = [(chat, key) for key in chat if key != "mapping"]
    places += [(chat["mapping"][node], key) for key in ("parent", "message", "children")]
    for part in (message, *(message[k] for k in ("author", "content", "metadata"))) if message else ():
        places += [(part, key) for key in part]
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = wrong
    reader.read(chat, NO_ASSETS, Skips())


class Nothing:
    name = ""

    def __init__(self) -> None:
        self.members: list[Member] = []

    def open(self, member: Member) -> BinaryIO:
        raise AssertionError(member)


NO_ASSETS = Assets(Nothing())


def path(nodes: dict[str, tuple[str | None, Json | None]], node: str | None) -> list[str]:
    found: list[str] = []
    while node is not None:
        node, said_here = nodes[node]
        if said_here is not None and not said_here["metadata"]:
            found.insert(0, said_here["content"]["parts"][0])
    return found


def turn_path(tree: Tree, turn_id: str | None) -> list[str]:
    by_id = {turn.id: turn for turn in tree.turns}
    found: list[str] = []
    while turn_id is not None:
        found.insert(0, by_id[turn_id].text.replace("\n\n", ""))
        turn_id = by_id[turn_id].parent_id
    return found


def test_ids_do_not_depend_on_where_the_chat_stands(tmp_path: Path) -> None:
    first, _ = read_all(write_json(tmp_path / "a.json", [rome("x"), rome("y")]))
    second, _ = read_all(write_json(tmp_path / "b.json", [rome("y")]))
    assert second == first[1:]


def test_open_archive_is_closed_after_use(tmp_path: Path) -> None:
    with open_archive(write_json(tmp_path / "a.json", [rome()]), Skips()) as archive:
        assert [member.name for member in archive.members] == ["a.json"]


def test_work_does_not_grow_faster_than_the_forks_of_a_hostile_answer(tmp_path: Path) -> None:
    """A chain of answers with a fork at each, and a message with many pictures: minutes, if it grew with the square."""
    mapping: dict[str, Json] = {"root": {"parent": None}}
    above = "root"
    for number in range(20_000):
        for side in "ab":
            message = {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["x"]}}
            mapping[f"{side}{number}"] = {"parent": above, "message": message}
        above = f"a{number}"
    pictures = [{"content_type": "image_asset_pointer", "asset_pointer": f"x://file-{n}"} for n in range(20_000)]
    content = {"content_type": "multimodal_text", "parts": pictures}
    mapping["pictures"] = {"parent": None, "message": {"author": {"role": "user"}, "content": content}}
    (tmp_path / "empty").mkdir()
    with open_archive(tmp_path / "empty", Skips()) as archive:
        began = time.process_time()
        tree = reader.read({"conversation_id": "c", "mapping": mapping}, Assets(archive), Skips())
    assert len(tree.turns) > 20_000
    assert time.process_time() - began < 60
