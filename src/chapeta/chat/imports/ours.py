"""Our own export of chats: a list of records, each a chat or a part of a large one, with everything that is known of it.

    {"format": "chapeta-chat", "version": 1, "part": 0,
     "chat": {…}, "turns": [{…}], "attachments": [{…}], "summaries": [{…}]}

The fields are those of `chat/types.py`; times are seconds since 1970 UTC, data is Base64. A chat too large for one
record is spread over several: each has the chat and a part number from 1, turns come parents first, and attachments
stand in the record of their turn, which many of them repeat. Read again, such a file gives the same chats with the same ids.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from chapeta.chat.imports.tree import Skips, Tree, clean, shown
from chapeta.chat.pictures import image_type
from chapeta.chat.types import Attachment, Chat, Summary, Turn
from chapeta.types import Json

FORMAT = "chapeta-chat"
VERSION = 1
MOST_SECONDS = 1e11  # the year 5138
PART_BYTES = 8 << 20  # of one record, unless a single turn with its files is larger

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Record(msgspec.Struct, forbid_unknown_fields=False):
    chat: Chat
    part: int = 0
    turns: list[Turn] = []
    attachments: list[Attachment] = []
    summaries: list[Summary] = []


def is_chat(record: Json) -> bool:
    """Whether a record is one of ours."""
    return record.get("format") == FORMAT


def read(record: Json, skips: Skips) -> Tree | None:
    """The chat, or the part of one, in a record; None, and why in `skips`, if it is not sound."""
    about = record.get("chat")
    title = shown(clean(about.get("title")) or clean(about.get("id"))) if isinstance(about, dict) else "a chat"
    if record.get("version") != VERSION:
        skips.add(title, "written by a newer Chapeta: update this one")
        return None
    try:
        found = msgspec.convert(_sound(record), type=Record)
        _check(found)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        skips.add(title, f"not sound: {shown(str(error))}")
        return None
    turns = tuple(replace(turn, status="cut") if turn.status == "streaming" else turn for turn in found.turns)
    attachments = tuple(_harmless(attachment, skips) for attachment in found.attachments)
    return Tree(found.chat, turns, attachments, tuple(found.summaries), found.part)


def records(tree: Tree) -> Iterator[Json]:
    """A chat as records, none much larger than PART_BYTES. Data may be put in afterwards, by the attachments' sizes."""
    parts = list(_parts(tree))
    for number, (turns, attachments) in enumerate(parts):
        yield {
            "format": FORMAT, "version": VERSION, "part": number + 1 if len(parts) > 1 else 0, "chat": tree.chat,
            "turns": turns, "attachments": attachments,
            "summaries": tree.summaries if number == len(parts) - 1 else (),
        }  # fmt: skip


def _bytes_of(attachment: Attachment) -> int:
    return len(attachment.text) + attachment.size * (attachment.mode == "image")


def _groups(attachments: list[Attachment]) -> Iterator[list[Attachment]]:
    """The attachments of a turn in as many groups as records need; at least one, which may be empty."""
    group: list[Attachment] = []
    for attachment in attachments:
        if group and sum(map(_bytes_of, group)) + _bytes_of(attachment) > PART_BYTES:
            yield group
            group = []
        group.append(attachment)
    yield group


def _parts(tree: Tree) -> Iterator[tuple[list[Turn], list[Attachment]]]:
    files: dict[str, list[Attachment]] = {}
    for attachment in tree.attachments:
        files.setdefault(attachment.turn_id, []).append(attachment)
    turns: list[Turn] = []
    attachments: list[Attachment] = []
    size = 0
    for turn in tree.turns:
        *earlier, own = _groups(files.get(turn.id, []))
        for group in earlier:
            yield [turn], group
        adds = len(turn.text) + len(turn.reasoning) + sum(map(_bytes_of, own))
        if turns and size + adds > PART_BYTES:
            yield turns, attachments
            turns, attachments, size = [], [], 0
        turns.append(turn)
        attachments += own
        size += adds
    yield turns, attachments


def _sound(value: Any) -> Any:
    """The record with texts that can be kept. Raises ValueError for numbers that cannot."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_sound(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _sound(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError("a number is too large")
    return value


def _check(found: Record) -> None:
    """Raises ValueError for a record that does not hang together."""
    ids = [found.chat.id, *(turn.id for turn in found.turns), *(a.id for a in found.attachments)]
    ids += [summary.id for summary in found.summaries]
    if wrong := next((given for given in ids if not _ID.fullmatch(given)), None):
        raise ValueError(f"'{wrong}' is no id")
    chats = {turn.chat_id for turn in found.turns} | {summary.chat_id for summary in found.summaries}
    if chats - {found.chat.id}:
        raise ValueError("a turn of another chat is in it")
    times = (found.chat.created_at, found.chat.updated_at, *(turn.created_at for turn in found.turns))
    if any(not 0 <= when < MOST_SECONDS for when in times):
        raise ValueError("a time is none")
    here: set[str] = set()
    later = {turn.id for turn in found.turns}
    for turn in found.turns:
        later.discard(turn.id)
        if turn.parent_id in later or turn.parent_id == turn.id or turn.id in here:
            raise ValueError("its turns are not in order")
        here.add(turn.id)
    if any(attachment.turn_id not in here for attachment in found.attachments):
        raise ValueError("an attachment belongs to no turn")


def _harmless(attachment: Attachment, skips: Skips) -> Attachment:
    """Bytes are kept only where they are a picture, and under the type that they are, whatever the file says."""
    kind = image_type(attachment.data) if attachment.data else ""
    if attachment.mode == "image" and not kind:
        skips.add(attachment.name, "a picture without its content")
        return replace(attachment, mode="whole", data=None)
    return (
        replace(attachment, media_type=kind, size=len(attachment.data or b""))
        if kind
        else replace(attachment, data=None)
    )
