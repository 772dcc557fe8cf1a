"""Small exports in the forms that ChatGPT and Claude give them, as far as their fields matter."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from chapeta.chat.imports.archive import open_archive
from chapeta.chat.imports.tree import Skips, Tree
from chapeta.types import Json

T0 = 1_767_225_600.0  # 2026-01-01
ROOT = "00000000-0000-4000-8000-000000000000"  # what Claude writes as the parent of a first message


def png(width: int = 2, height: int = 1) -> bytes:
    """A real picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + b"\xff\x00\x00" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def said(role: str, *parts: Any, at: float = 0, kind: str = "text", **more: Any) -> Json:
    """A message of ChatGPT. `more`: other fields, such as recipient; metadata's own are in `about`."""
    about = more.pop("about", {})
    body = more.pop("body", None) or {"content_type": kind, "parts": list(parts)}
    return {
        "id": f"m{at:g}", "author": {"role": role, "name": more.pop("name", None), "metadata": {}},
        "create_time": T0 + at, "update_time": None, "content": body, "status": "finished_successfully",
        "end_turn": None, "weight": 1.0, "metadata": about, "recipient": "all", "channel": None,
    } | more  # fmt: skip


def chatgpt(
    nodes: dict[str, tuple[str | None, Json | None]], tip: str, title: str = "Trip to Rome", **more: Any
) -> Json:
    """A conversation from {node: (parent, message)}."""
    mapping: Json = {
        node: {
            "id": node, "parent": parent, "message": message,
            "children": [child for child, (above, _) in nodes.items() if above == node],
        }
        for node, (parent, message) in nodes.items()
    }  # fmt: skip
    given: Json = {"title": title, "create_time": T0, "update_time": T0 + 99, "mapping": mapping, "current_node": tip}
    given |= {"conversation_id": f"conv-{title}", "id": f"conv-{title}", "default_model_slug": "gpt-5"}
    return given | more


def rome(title: str = "Trip to Rome", **more: Any) -> Json:
    """A chat with a hidden root, an edited question and an answer that was asked for again."""
    hidden = said("system", "", about={"is_visually_hidden_from_conversation": True}, weight=0)
    return chatgpt(
        {
            "root": (None, None),
            "sys": ("root", hidden),
            "q1": ("sys", said("user", "What to see in Rome?", at=1)),
            "a1": ("q1", said("assistant", "The Forum.", at=2, about={"model_slug": "gpt-5"})),
            "a1b": ("q1", said("assistant", "The Pantheon.", at=3, about={"model_slug": "o3"})),
            "q2": ("a1b", said("user", "How do I get there?", at=4)),
            "q2b": ("a1b", said("user", "When is it open?", at=5)),
            "a2": ("q2b", said("assistant", "From 9 to 19.", at=6, about={"model_slug": "gpt-5"})),
        },
        "a2", title, **more,
    )  # fmt: skip


def as_in_2026(conversation: Json) -> Json:
    """The same without what today's exports leave out: children, and all but five fields of a message."""
    kept = ("author", "content", "create_time", "id")
    slim: Json = {}
    for node, value in conversation["mapping"].items():
        message = value["message"]
        if message is not None and message["author"]["role"] == "system":
            message = None
        if message is not None:
            about = {} if message["author"]["role"] == "user" else {"metadata": message["metadata"]}
            message = {name: message[name] for name in kept} | about
        slim[node] = {"id": node, "parent": value["parent"], "message": message}
    return conversation | {"mapping": slim}


def claude(messages: list[Json], title: str = "Parcel", **more: Any) -> Json:
    given: Json = {"uuid": f"conv-{title}", "name": title, "summary": "", "created_at": "2026-03-29T07:06:34.084721Z"}
    given |= {"updated_at": "2026-03-29T12:59:41.658730Z", "account": {"uuid": "acc"}, "chat_messages": messages}
    return given | more


def message(key: str, parent: str | None, sender: str, text: str, minute: int = 0, **more: Any) -> Json:
    """A message of Claude with one block of text."""
    when = f"2026-03-29T08:{minute:02}:00.000000Z"
    given: Json = {"uuid": key, "text": text, "sender": sender, "created_at": when, "updated_at": when}
    given |= {"content": [{"type": "text", "text": text, "citations": []}], "attachments": [], "files": []}
    return given | ({} if parent is None else {"parent_message_uuid": parent}) | more


def parcel(title: str = "Parcel", **more: Any) -> Json:
    """A chat of Claude with a question that was edited."""
    return claude(
        [
            message("q1", ROOT, "human", "Where is my parcel?", 1),
            message("a1", "q1", "assistant", "On its way.", 2),
            message("q2", "a1", "human", "Since when?", 3),
            message("q2b", "a1", "human", "Who carries it?", 4),
            message("a2b", "q2b", "assistant", "The post.", 5),
        ],
        title, **more,
    )  # fmt: skip


def write_json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_zip(path: Path, files: dict[str, object]) -> Path:
    """A ZIP: bytes and texts as they are, anything else as JSON."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            archive.writestr(name, value if isinstance(value, bytes | str) else json.dumps(value))
    return path


def read_all(path: Path) -> tuple[list[Tree], Skips]:
    """All chats of an export, and what was left out."""
    from chapeta.chat.imports import trees

    skips = Skips()
    with open_archive(path, skips) as archive:
        return list(trees(archive, skips)), skips


def lines(tree: Tree) -> dict[str, str]:
    """text of each turn → text of the one above it ("" for a first one)."""
    texts = {turn.id: turn.text for turn in tree.turns}
    return {turn.text: texts.get(turn.parent_id or "", "") for turn in tree.turns}
