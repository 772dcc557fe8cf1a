"""A caller's request body: checked as far as we act on it, everything else passed on as it came."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from chapeta.gateway.fault import Fault

Raw = msgspec.Raw
Fields = dict[str, Raw]
Number = int | float


class Turn(msgspec.Struct):
    """A message, as far as it is checked."""

    role: str
    content: str | list[Raw] | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Chat(msgspec.Struct):
    """The fields of a chat completion that we act on, or whose type is checked before a provider is bothered."""

    messages: list[Turn]
    model: str = ""
    models: list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    tools: list[dict[str, Raw]] | None = None
    response_format: dict[str, Raw] | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class Embeddings(msgspec.Struct):
    """The same for embeddings."""

    model: str
    input: str | list[Raw]


_fields = msgspec.json.Decoder(Fields)
_chat = msgspec.json.Decoder(Chat)
_embeddings = msgspec.json.Decoder(Embeddings)
_encode = msgspec.json.Encoder().encode
ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


def read_chat(body: bytes) -> tuple[Chat, Fields]:
    """The checked part of a chat request, and all its fields as raw JSON. Raises Fault 400."""
    chat, fields = _read(body, _chat)
    if not chat.model and not chat.models:
        raise _bad("`model` is missing.", "Name a model: `chapeta models list` shows some.", "model")
    if chat.models is not None and not all(chat.models):
        raise _bad("`models` has an empty name.", "Leave it out.", "models")
    if not chat.messages:
        raise _bad("`messages` is empty.", "Give at least one message.", "messages")
    for place, turn in enumerate(chat.messages):
        if turn.role not in ROLES:
            at = f"messages[{place}].role"
            raise _bad(f"`{at}` is {turn.role[:40]!r}.", f"Use one of {', '.join(sorted(ROLES))}.", at)
    for name, least in (("n", 1), ("max_tokens", 1), ("max_completion_tokens", 1)):
        value = getattr(chat, name)
        if value is not None and value < least:
            raise _bad(f"`{name}` is {value}.", f"Give {least} or more.", name)
    return chat, fields


def read_embeddings(body: bytes) -> tuple[Embeddings, Fields]:
    """The same for an embeddings request."""
    return _read(body, _embeddings)


def options(fields: Fields) -> dict[str, Any]:
    """The caller's own `stream_options`."""
    given = msgspec.json.decode(fields["stream_options"]) if "stream_options" in fields else None
    return given if isinstance(given, dict) else {}


def write(fields: Fields, changed: Mapping[str, Any]) -> bytes:
    """The body for a provider: the caller's fields with some changed, those set to None left out."""
    merged: dict[str, Any] = {**fields, **changed}
    if None in changed.values():
        merged = {name: value for name, value in merged.items() if value is not None}
    return _encode(merged)


def _read(body: bytes, decoder: msgspec.json.Decoder[Any]) -> tuple[Any, Fields]:
    try:
        if not body.isascii():
            body.decode()
        return decoder.decode(body), _fields.decode(body)
    except UnicodeDecodeError as error:
        raise _bad(f"The body is not UTF-8 (byte {error.start}).", "Send JSON encoded as UTF-8.") from None
    except msgspec.ValidationError as error:
        param = _path(str(error))
        raise _bad(f"{_plain(str(error))}.", "See the API reference of chat completions.", param) from None
    except msgspec.DecodeError as error:
        raise _bad(f"The body is not valid JSON ({error}).", "Send one JSON object.") from None
    except RecursionError:
        raise _bad("The body is nested too deeply.", "Send a flatter JSON object.") from None


def _path(error: str) -> str | None:
    found = re.search(r"`\$\.?(.+?)`$", error) or re.search(r"field `(\w+)`", error)
    return found[1] if found else None


def _plain(error: str) -> str:
    """msgspec's sentence with the field's name in front: "`temperature`: expected `float`, got `str`"."""
    text, _, path = error.partition(" - at `$")
    name = path.strip("`.")
    return f"`{name}`: {text[0].lower()}{text[1:]}" if name else text


def _bad(message: str, remedy: str, param: str | None = None) -> Fault:
    return Fault(400, message, remedy, "invalid_request", param=param)
