"""Server-sent events as they travel through: cut at their borders, comments left out, the few that matter looked into.

Format: html.spec.whatwg.org/multipage/server-sent-events.html. Events are forwarded as the provider wrote them, so unknown
fields stay; only the usage is read, and errors that come in mid-stream.
"""

from __future__ import annotations

import re

import msgspec

from chapeta.gateway.fault import Fault
from chapeta.types import Json

MOST_EVENT_BYTES = 64 * 1024 * 1024
DONE = b"data: [DONE]\n\n"

_DONE = re.compile(rb"^data: ?\[DONE\]", re.MULTILINE)
_LONGEST_DONE = 64
_decode = msgspec.json.Decoder().decode


class Events:
    """Cuts a byte stream into whole events, whatever pieces it comes in."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()  # after the last border; grows in place, so a huge event is not copied at each piece

    def feed(self, data: bytes) -> bytes:
        """The events that are whole now, with \\n line ends, without comments; b"" if none is."""
        rest = self._rest
        if rest:
            rest += data
            if not _has_border(bytes(rest[-len(data) - 3 :])):
                if len(rest) > MOST_EVENT_BYTES:
                    raise Fault(
                        502,
                        f"One event of the stream is longer than {MOST_EVENT_BYTES:,} bytes.",
                        code="too_long",
                        sent=True,
                    )
                return b""
            data = bytes(rest)
            rest.clear()
        if b"\r" in data:
            if data.endswith(b"\r"):  # perhaps half a line end
                rest += data
                return b""
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            rest += data
            return b""
        if end < len(data):
            rest += data[end:]
            data = data[:end]
        if data.startswith(b":") or b"\n:" in data:
            data = _without_comments(data)
        return data

    @property
    def rest(self) -> bytes:
        """What has come after the last whole event."""
        return bytes(self._rest)


def has_data(events: bytes) -> bool:
    """Whether there is anything in the events but names and comments."""
    return events.startswith(b"data:") or b"\ndata:" in events


def is_done(events: bytes) -> bool:
    """Whether the events end with [DONE]."""
    return _DONE.search(events, max(0, len(events) - _LONGEST_DONE)) is not None


def payloads(events: bytes) -> list[bytes]:
    """The data of each event, its lines joined, without the closing [DONE]."""
    found = []
    for event in events.split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            data = lines[0] if len(lines) == 1 else b"\n".join(lines)
            if data != b"[DONE]":
                found.append(data)
    return found


def decoded(events: bytes) -> list[Json]:
    """The JSON objects of the events; what is not a JSON object is left out."""
    found = []
    for data in payloads(events):
        try:
            value = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def texts(chunk: Json) -> list[str]:
    """The texts of a chunk's choices, whatever else a provider may have put there."""
    choices = chunk.get("choices")
    deltas = [c.get("delta") for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
    found = [delta.get("content") for delta in deltas if isinstance(delta, dict)]
    return [text for text in found if isinstance(text, str)]


def finish_of(chunk: Json) -> str | None:
    """The first finish reason among a chunk's choices."""
    choices = chunk.get("choices")
    found = [c.get("finish_reason") for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
    return next((reason for reason in found if isinstance(reason, str)), None)


def event(value: Json) -> bytes:
    """A JSON object as one event."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _without_comments(events: bytes) -> bytes:
    kept = []
    for one in events.split(b"\n\n"):
        lines = [line for line in one.split(b"\n") if line and not line.startswith(b":")]
        if lines:
            kept.append(b"\n".join(lines) + b"\n\n")
    return b"".join(kept)


def _has_border(data: bytes) -> bool:
    return b"\n\n" in data or b"\n\r\n" in data or b"\r\r" in data
