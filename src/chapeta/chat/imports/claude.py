"""Claude's conversations: `chat_messages` with parents, each of blocks; older exports have flat texts in order."""

from __future__ import annotations

from typing import Any

from chapeta.chat.imports.assets import MOST_TEXT_BYTES
from chapeta.chat.imports.tree import Skips, Tree, clean, dicts, fenced, identity, moment, shown
from chapeta.chat.types import Attachment, Chat, Turn
from chapeta.types import Json

ORIGIN = "claude"
PASTED = "pasted text.txt"  # Claude turns long pastes into attachments without a name
SIGNS = ("token_budget", "flag")  # blocks that say nothing


def is_chat(record: Json) -> bool:
    """Whether a record is a chat of Claude, judged by what it holds."""
    return isinstance(record.get("chat_messages"), list)


def read(record: Json, skips: Skips) -> Tree | None:
    """The chat of a record; None if there is nothing to read in it."""
    messages = dicts(record["chat_messages"])
    given_id = clean(record.get("uuid"))
    title = shown(clean(record.get("name")))
    keys = _keys(messages)
    chat_id = identity(ORIGIN, given_id or "\n".join(keys))
    created_at = moment(record.get("created_at")) or 0.0
    turns: dict[str, Turn] = {}
    attachments: list[Attachment] = []
    for key, parent, message in _in_order(keys, messages, skips, title):
        turn_id = identity(chat_id, key)
        text, reasoning = _said(message, skips, title)
        files = _attachments(turn_id, message, skips)
        above = turns.get(parent)
        if not (text or reasoning or files):
            if above is not None:
                turns[key] = above  # an empty message: what follows hangs below the one before it
            continue
        is_answer = message.get("sender") == "assistant"
        when = moment(message.get("created_at")) or (above.created_at if above else created_at)
        turns[key] = Turn(
            id=turn_id, chat_id=chat_id, parent_id=above.id if above else None,
            role="assistant" if is_answer else "user", text=text, reasoning=reasoning, status="done", created_at=when,
            model=(clean(message.get("model")) or clean(record.get("model"))) if is_answer else "",
        )  # fmt: skip
        attachments += files
    if not turns:
        skips.add(title or given_id or "a chat", "a chat without a message")
        return None
    unique = tuple({turn.id: turn for turn in turns.values()}.values())
    tip = turns.get(clean(record.get("current_leaf_message_uuid"))) or _newest_leaf(unique)
    project = record.get("project")
    chat = Chat(
        id=chat_id, title=title, folder=shown(clean(project.get("name"))) if isinstance(project, dict) else "",
        pinned=record.get("is_starred") is True, tags=(), created_at=created_at or unique[0].created_at,
        updated_at=moment(record.get("updated_at")) or max(turn.created_at for turn in unique),
        model="",  # the chat goes on with a model that is here
        skill="", tip_id=tip.id,
    )  # fmt: skip
    return Tree(chat, unique, tuple(attachments))


def _keys(messages: list[Json]) -> list[str]:
    """A name for each message: its own, or its place where it has none, or one that was used before."""
    keys: dict[str, None] = {}
    for place, message in enumerate(messages):
        own = clean(message.get("uuid"))
        keys[own if own and own not in keys else f"#{place}"] = None
    return list(keys)


def _in_order(keys: list[str], messages: list[Json], skips: Skips, title: str) -> list[tuple[str, str, Json]]:
    """(key, parent's key, message), parents first. Where no message names its parent, each follows the one before it."""
    by_key = dict(zip(keys, messages, strict=True))
    flat = not any(clean(message.get("parent_message_uuid")) for message in messages)
    parents = dict(zip(keys, ["", *keys], strict=False))
    if not flat:
        parents = {key: clean(message.get("parent_message_uuid")) for key, message in by_key.items()}
    children: dict[str, list[str]] = {}
    for key in keys:
        parent = parents[key]
        children.setdefault(parent if parent in by_key and parent != key else "", []).append(key)
    ordered: list[tuple[str, str, Json]] = []
    waiting = [(key, "") for key in reversed(children.get("", ()))]
    while waiting:
        key, parent = waiting.pop()
        ordered.append((key, parent, by_key[key]))
        waiting += [(child, key) for child in reversed(children.get(key, ()))]
    if len(ordered) < len(keys):
        skips.add(title, "messages that hang in a ring, below nothing", len(keys) - len(ordered))
    return ordered


def _said(message: Json, skips: Skips, title: str) -> tuple[str, str]:
    """Text and reasoning of a message: of its blocks, else its flat text."""
    texts, thoughts = [], []
    for block in dicts(message.get("content")):
        kind = clean(block.get("type"))
        if kind == "thinking":
            thoughts.append(clean(block.get("thinking")))
        elif kind == "tool_use":
            document = _document(block)
            texts.append(document)
            if not document:
                skips.add(title, "what Claude asked of a tool")
        elif kind == "tool_result":
            skips.add(title, "what a tool of Claude answered")
        elif clean(block.get("text")):
            texts.append(clean(block.get("text")))
        elif kind not in ("text", *SIGNS):
            skips.add(title, f"a block of a kind that is not known ({kind[:40]})")
    text = "\n\n".join(text.strip() for text in texts if text.strip())
    return text or clean(message.get("text")).strip(), "\n\n".join(thought for thought in thoughts if thought).strip()


def _document(block: Json) -> str:
    """A document that Claude wrote beside the chat, as a block of code; "" for other tools and for changes."""
    given = block.get("input")
    if not isinstance(given, dict):
        return ""
    text = clean(given.get("content")) or clean(given.get("file_text"))
    if block.get("name") not in ("artifacts", "create_file") or not text:
        return ""
    name = clean(given.get("title")) or clean(given.get("path")).rpartition("/")[2]
    return "\n\n".join(part for part in (shown(name), fenced(text, clean(given.get("language")))) if part)


def _attachments(turn_id: str, message: Json, skips: Skips) -> list[Attachment]:
    """Documents with the text that Claude took from them; of other files the export holds the name alone."""
    found: dict[str, Attachment] = {}
    for place, given in enumerate((*dicts(message.get("attachments")), *dicts(message.get("files")))):
        text = clean(given.get("extracted_content"))
        if len(text) > MOST_TEXT_BYTES:
            skips.add(clean(given.get("file_name")), "a document that is too long")
            text = ""
        name = shown(clean(given.get("file_name"))) or (PASTED if text else "file")
        if not text:
            skips.add(name, "a file whose content is not in the export")
        key = clean(given.get("file_uuid")) or clean(given.get("id")) or f"{place} {name}"
        kind = clean(given.get("file_type"))
        attachment = Attachment(
            id=identity(turn_id, key), turn_id=turn_id, name=name, size=_size(given, text),
            media_type=shown(kind) if "/" in kind else ("text/plain" if text else "application/octet-stream"),
            mode="whole", text=text,
        )  # fmt: skip
        found.setdefault(attachment.id, attachment)
    return list(found.values())


def _size(given: Json, text: str) -> int:
    size: Any = given.get("file_size")
    return size if isinstance(size, int) and 0 <= size < 1 << 53 else len(text.encode())


def _newest_leaf(turns: tuple[Turn, ...]) -> Turn:
    above = {turn.parent_id for turn in turns}
    return max((turn for turn in turns if turn.id not in above), key=lambda turn: turn.created_at)
