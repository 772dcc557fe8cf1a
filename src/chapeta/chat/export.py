"""Chats as files: Markdown to read, JSON with everything, JSONL of messages to fine-tune with.

markdown  the branch that is shown, under a YAML head; several chats are a ZIP with a file each
json      whole trees with attachments, as `imports/ours.py` describes them; it can be imported again without loss
jsonl     a row `{"messages": […]}` a chat: the branch that is shown, up to its last answer, as OpenAI's fine-tuning takes it

Chats are written one after the other, so memory holds one of them, and the file appears whole or not at all.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from chapeta.chat.imports import ours
from chapeta.chat.imports.tree import Tree, fenced
from chapeta.chat.types import Attachment, Chat, Turn
from chapeta.errors import BadInput
from chapeta.files import replacing
from chapeta.progress import SILENT, Progress
from chapeta.types import Json

Format = Literal["md", "json", "jsonl"]
FORMATS: tuple[Format, ...] = ("md", "json", "jsonl")
Load = Callable[[str], bytes | None]

# What YAML does not take as it stands, or takes for the end of a line.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. left_out: chats without an answer, of which JSONL has no row."""

    path: Path
    chats: int
    turns: int
    left_out: int
    size: int


def export(trees: Iterable[Tree], form: Format, path: Path, load: Load, listener: Progress = SILENT) -> Exported:
    """Writes chats to a file, for its owner alone; an older file of that name is replaced at the end.

    load: an attachment's bytes by its id. In Markdown several chats need a name that ends with .zip.
    Raises BadInput where the disk or the folder refuses, and whatever reading the chats raises; then there is no file.
    """
    counts = {"chats": 0, "turns": 0, "left_out": 0}

    def counted() -> Iterator[Tree]:
        for tree in trees:
            counts["chats"] += 1
            counts["turns"] += len(tree.turns)
            listener.advance(counts["chats"], 0, f"{counts['chats']:,} chats")
            yield tree

    if path.is_dir() or (path.parent.exists() and not path.parent.is_dir()):
        raise BadInput(
            f"Cannot write {path}: a folder and a file stand in each other's place.", "Choose another --out."
        )
    with replacing(path) as file:
        if form == "json":
            _write_json(counted(), file, load)
        elif form == "jsonl":
            counts["left_out"] = _write_jsonl(counted(), file)
        else:
            _write_markdown(counted(), file, path)
    return Exported(path, counts["chats"], counts["turns"], counts["left_out"], path.stat().st_size)


def markdown(tree: Tree) -> str:
    """The branch of a chat that is shown, to read: questions, answers, the names of files; a head with what it took."""
    turns = branch(tree)
    files = _files(tree)
    lines = ["---", *(f"{name}: {_yaml(value)}" for name, value in _head(tree, turns)), "---", ""]
    lines += [f"# {_one_line(tree.chat.title) or 'Chat'}", ""]
    for turn in turns:
        who = "You" if turn.role == "user" else _one_line(turn.model) or "Assistant"
        lines += [f"## {who} · {_day_time(turn.created_at)}", ""]
        lines += [
            f"*{_one_line(file.name)} ({file.media_type}, {file.size:,} bytes)*\n" for file in files.get(turn.id, ())
        ]
        if turn.reasoning.strip():
            lines += [*(f"> {line}".rstrip() for line in turn.reasoning.strip().splitlines()), ""]
        lines += [turn.text.strip(), ""]
        if turn.status not in ("done", "streaming"):
            lines += [f"*({turn.status})*", ""]
    return "\n".join(lines).rstrip() + "\n"


def messages(tree: Tree) -> list[Json]:
    """The branch that is shown as OpenAI's messages, ending with an answer; empty if there is none.

    Failed and empty answers are left out, neighbours of one role are one message, documents stand before their question.
    """
    files = _files(tree)
    said: list[Json] = []
    for turn in branch(tree):
        documents = [f"{_one_line(file.name)}:\n{fenced(file.text)}" for file in files.get(turn.id, ()) if file.text]
        text = "\n\n".join((*documents, turn.text.strip())) if documents else turn.text.strip()
        if not text or turn.status == "failed":
            continue
        if said and said[-1]["role"] == turn.role:
            said[-1]["content"] += f"\n\n{text}"
        else:
            said.append({"role": turn.role, "content": text})
    if said and said[0]["role"] == "assistant":
        del said[0]
    while said and said[-1]["role"] != "assistant":
        said.pop()
    return said


def branch(tree: Tree) -> list[Turn]:
    """The turns from the root to the tip, oldest first."""
    by_id = {turn.id: turn for turn in tree.turns}
    found: list[Turn] = []
    place = by_id.pop(tree.chat.tip_id or "", None)
    while place is not None:
        found.append(place)
        place = by_id.pop(place.parent_id or "", None)
    return found[::-1]


def file_name(chat: Chat, suffix: str) -> str:
    """A name for a chat's file that every system takes: its title's letters and the beginning of its id."""
    plain = re.sub(r"[^\w]+", "-", chat.title.lower(), flags=re.UNICODE).strip("-_")[:60].strip("-_")
    return f"{plain or 'chat'}-{re.sub(r'[^A-Za-z0-9]', '', chat.id)[:8]}{suffix}"


def _write_json(trees: Iterable[Tree], file: IO[bytes], load: Load) -> None:
    encode = msgspec.json.Encoder().encode
    before = b"[\n"
    for tree in trees:
        for record in ours.records(tree):
            record["attachments"] = [
                replace(a, data=load(a.id) if a.mode == "image" else None) for a in record["attachments"]
            ]
            file.write(before + encode(record))
            before = b",\n"
    file.write(b"\n]\n" if before == b",\n" else b"[]\n")


def _write_jsonl(trees: Iterable[Tree], file: IO[bytes]) -> int:
    """One row a chat; returns how many chats have none."""
    left_out = 0
    for tree in trees:
        if row := messages(tree):
            file.write(json.dumps({"messages": row}).encode() + b"\n")  # ASCII only: survives any editor
        else:
            left_out += 1
    return left_out


def _write_markdown(trees: Iterator[Tree], file: IO[bytes], path: Path) -> None:
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for tree in trees:
                archive.writestr(file_name(tree.chat, ".md"), markdown(tree))
        return
    for number, tree in enumerate(trees):
        if number:
            raise BadInput(
                f"{path} is one Markdown file, and there are several chats.", "Give a name that ends with .zip."
            )
        file.write(markdown(tree).encode())


def _head(tree: Tree, turns: list[Turn]) -> list[tuple[str, object]]:
    """What stands in the head of a Markdown file. Costs are of the whole tree, as every branch was paid for."""
    chat, answers = tree.chat, [turn for turn in tree.turns if turn.role == "assistant"]
    known = [turn.usd for turn in answers if turn.usd is not None]
    models = list(dict.fromkeys(turn.model for turn in turns if turn.model)) or [chat.model]
    skills = list(dict.fromkeys(turn.skill for turn in turns if turn.skill)) or [chat.skill]
    given: list[tuple[str, object]] = [
        ("title", chat.title),
        ("id", chat.id),
        ("created", _iso(chat.created_at)),
        ("updated", _iso(chat.updated_at)),
        ("model", models[0] if len(models) == 1 else models),
        ("skill", skills[0] if len(skills) == 1 else skills),
        ("folder", chat.folder),
        ("tags", list(chat.tags)),
        ("tokens_in", sum(turn.tokens_in or 0 for turn in answers)),
        ("tokens_out", sum(turn.tokens_out or 0 for turn in answers)),
        ("usd", round(sum(known), 9)),
        ("answers_of_unknown_cost", len(answers) - len(known)),
        ("branches_not_shown", len(tree.turns) - len(turns)),
    ]
    return [(name, value) for name, value in given if value not in ("", [], [""], 0) or name == "title"]


def _yaml(value: object) -> str:
    """A value as YAML on one line, strings in double quotes: nothing in a title can end the head."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _files(tree: Tree) -> dict[str, list[Attachment]]:
    found: dict[str, list[Attachment]] = {}
    for attachment in tree.attachments:
        found.setdefault(attachment.turn_id, []).append(attachment)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _day_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
