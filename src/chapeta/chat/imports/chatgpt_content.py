"""What one message of a ChatGPT export says: text, thoughts, files, or why nothing of it is brought over."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chapeta.chat.imports.tree import clean, dicts, fenced
from chapeta.types import Json

CITATION = re.compile("\ue200[^\ue201]{0,2000}\ue201?")  # cite, turn0search1 … between private-use characters
CONTEXT = ("user_editable_context", "model_editable_context")
WEB = ("tether_quote", "tether_browsing_display", "tether_browsing_code", "sonic_webpage")
VOICE = ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer", "video_container_asset_pointer")


@dataclass(frozen=True, slots=True)
class File:
    """A pointer to a file of the export, and what is said about it."""

    pointer: str
    about: Json


@dataclass(frozen=True, slots=True)
class Content:
    """A message's part of a turn. skipped: why something of it is left out."""

    role: str = ""
    text: str = ""
    reasoning: str = ""
    files: tuple[File, ...] = ()
    model: str = ""
    skipped: str = ""

    @property
    def empty(self) -> bool:
        return not (self.text or self.reasoning or self.files)


def content(message: Json) -> Content:
    """What a message brings. Anything may be missing or of another type than it should be."""
    author, body, about = (_dict(message.get(name)) for name in ("author", "content", "metadata"))
    role = "user" if author.get("role") == "user" else "assistant"
    kind = clean(body.get("content_type"))
    if kind in CONTEXT or about.get("is_user_system_message"):
        return Content(skipped="custom instructions and memories, which belong to ChatGPT's settings")
    if (
        author.get("role") == "system"
        or message.get("weight") == 0
        or about.get("is_visually_hidden_from_conversation")
    ):
        return Content(skipped="a message that ChatGPT hides") if _text(body).strip() else Content()
    files, voice = _files(body, about)
    text, reasoning, skipped = _said(kind, clean(author.get("role")), message, body)
    if text and "\ue200" in text:
        text = _without_citations(text, about)
    skipped = skipped or ("a voice recording (what was said is here)" if voice else "")
    return Content(role, text.strip(), reasoning.strip(), files, clean(about.get("model_slug")), skipped)


def _said(kind: str, author: str, message: Json, body: Json) -> tuple[str, str, str]:
    """Text, reasoning, and why nothing, of a message that ChatGPT shows."""
    recipient = clean(message.get("recipient")) or "all"
    if kind == "thoughts":
        return "", _thoughts(body), ""
    if kind == "reasoning_recap":
        return "", clean(body.get("content")) or _text(body), ""
    if kind == "execution_output":
        return (fenced(_text(body)) if _text(body) else ""), "", ""
    if kind in WEB:
        return "", "", "a web page that ChatGPT read"
    if recipient.startswith("canmore."):
        return _canvas(_text(body), recipient)
    if kind == "code" and (recipient == "all" or recipient.startswith("python")):
        return (fenced(_text(body), clean(body.get("language"))) if _text(body) else ""), "", ""
    if author == "tool":
        return "", "", "what a tool of ChatGPT answered" if _text(body).strip() else ""
    if recipient != "all":
        return "", "", "what ChatGPT asked of a tool"
    text = _text(body)
    unknown = kind not in ("text", "multimodal_text", "code", "") and not text
    return text, "", f"a message of a kind that is not known ({kind[:40]})" if unknown else ""


def _text(body: Json) -> str:
    """All text of a message's content, wherever it stands."""
    parts = body.get("parts")
    if not isinstance(parts, list):
        return clean(body.get("text")) or clean(body.get("result")) or clean(body.get("content"))
    texts = (clean(part) or (clean(part.get("text")) if isinstance(part, dict) else "") for part in parts)
    return "\n\n".join(text for text in texts if text)


def _thoughts(body: Json) -> str:
    thoughts = body.get("thoughts")
    if not isinstance(thoughts, list):
        return clean(thoughts)
    pairs = ((clean(thought.get("summary")), clean(thought.get("content"))) for thought in dicts(thoughts))
    return "\n\n".join("\n\n".join(part for part in pair if part) for pair in pairs)


def _canvas(call: str, recipient: str) -> tuple[str, str, str]:
    """A document that ChatGPT wrote beside the chat is part of its answer; later changes to it are patterns only."""
    try:
        document = _dict(json.loads(call)) if recipient == "canmore.create_textdoc" else {}
    except (ValueError, RecursionError):
        document = {}
    text = clean(document.get("content"))
    if not text:
        return "", "", "a change of a document beside the chat"
    language = clean(document.get("type")).removeprefix("code/")
    body = fenced(text, language) if clean(document.get("type")).startswith("code/") else text
    return "\n\n".join(part for part in (clean(document.get("name")), body) if part), "", ""


def _files(body: Json, about: Json) -> tuple[tuple[File, ...], bool]:
    """The files that a message names, and whether voice was among them."""
    found: dict[str, File] = {}
    for given in dicts(about.get("attachments")):
        found.setdefault(clean(given.get("id")), File(clean(given.get("id")), given))
    voice = False
    for part in dicts(body.get("parts")):
        voice = voice or part.get("content_type") in VOICE
        if part.get("content_type") == "image_asset_pointer":
            pointer = clean(part.get("asset_pointer")).rpartition("://")[2]
            found.setdefault(pointer, File(pointer, {"size": part.get("size_bytes")}))
    return tuple(file for pointer, file in found.items() if pointer), voice


def _without_citations(text: str, about: Json) -> str:
    """Marks of citations, which only ChatGPT's page can draw, become what they stand for."""
    for reference in dicts(about.get("content_references"))[:1000]:
        mark = clean(reference.get("matched_text"))
        if mark.startswith("\ue200"):
            text = text.replace(mark, clean(reference.get("alt")))
    return CITATION.sub("", text)


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
