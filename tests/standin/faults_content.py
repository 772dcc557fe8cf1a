"""Faults of what is said: not JSON, not UTF-8, errors inside of a 200, events in unusual dress. Listed at the bottom."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import replace

from . import errors
from .scene import DONE, PROCESSING, Json, Play, Scene, event, json_reply
from .wire import Reply

TEXT = re.compile(rb'"content":\s*"')


async def _garbage_json(scene: Scene) -> None:
    """What calls itself JSON (or an event's data) and is not."""
    text = b'{"id": "gen-1", "choices": [{"index": 0, "mess'
    pieces = [scene.reply.pieces[0], b"data: " + text + b"\n\n", DONE] if scene.reply.streamed else [text]
    await scene.call.play(replace(scene.reply, pieces=pieces))


async def _bad_utf8(scene: Scene) -> None:
    """A good answer with bytes in its text that are not UTF-8."""
    await scene.call.play(_inserted(scene.reply, b"\xff\xc3\x28"))


async def _html(scene: Scene, status: int = 200) -> None:
    """A page of some proxy in between."""
    page = b"<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head><body>Checking</body></html>\n"
    await scene.call.play(Reply(status, {"content-type": "text/html; charset=utf-8"}, [page]))


async def _json_for_stream(scene: Scene) -> None:
    """The whole answer as one JSON object, though a stream was asked for."""
    await scene.call.play(json_reply(200, scene.whole))


async def _type(scene: Scene, type: str = "text/plain") -> None:
    """A good answer with the wrong content type."""
    await scene.call.play(replace(scene.reply, headers={**scene.reply.headers, "content-type": type}))


async def _redirect(scene: Scene, location: str = "https://example.org/api/v1/chat/completions") -> None:
    """307 to elsewhere, where the key must not go."""
    await scene.call.play(Reply(307, {"location": location}, [b"{}"]))


async def _echo_key(scene: Scene, status: int = 401) -> None:
    """An error that carries the caller's own key, in its message and in a header."""
    said = errors.Problem(status, f"The key {scene.key} is not valid.", {"raw": f"Bearer {scene.key} was refused"})
    value = errors.body(said, scene.dialect)
    await scene.call.play(json_reply(status, value, {"x-request-id": f"req_{scene.key}", "x-api-key": scene.key}))


async def _error_mid(
    scene: Scene, after: int = 3, code: int = 502, message: str = "Provider disconnected unexpectedly"
) -> None:
    """Some events, then one with an error and finish_reason "error"; without a stream, only an error."""
    if not scene.reply.streamed:
        await _error_200(scene, code, message)
        return
    await scene.call.begin(scene.reply, after)
    names = ("id", "created", "model", "provider")
    head: Json = {name: scene.whole[name] for name in names if name in scene.whole}
    value = {**head, "object": "chat.completion.chunk", **_error(scene, code, message)}
    value["choices"] = [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    await scene.call.write(event(value))
    await scene.call.write(DONE if scene.dialect == "openrouter" else b"")
    await scene.call.end()


async def _error_200(scene: Scene, code: int = 502, message: str = "Provider returned error") -> None:
    """HTTP 200 whose body, or first event, is only an error."""
    value = _error(scene, code, message)
    if not scene.reply.streamed:
        await scene.call.play(json_reply(200, value))
        return
    await scene.call.play(replace(scene.reply, pieces=[PROCESSING, event(value)]))


async def _huge(scene: Scene, size: int = 4 << 20) -> None:
    """One event (or body) of several megabytes."""
    await scene.call.play(_inserted(scene.reply, b"x" * size))


async def _line_ends(scene: Scene, ends: str = "\r\n") -> None:
    """Other line ends than \\n; `ends` is CRLF, or "\\r" alone."""
    pieces = [piece.replace(b"\n", ends.encode()) for piece in scene.reply.pieces]
    await scene.call.play(replace(scene.reply, pieces=pieces))


async def _no_done(scene: Scene) -> None:
    """A whole stream, but for `data: [DONE]`."""
    await scene.call.play(replace(scene.reply, pieces=[piece for piece in scene.reply.pieces if piece != DONE]))


async def _no_space(scene: Scene) -> None:
    """`data:{...}` without the space."""
    await scene.call.play(replace(scene.reply, pieces=[p.replace(b"data: ", b"data:", 1) for p in scene.reply.pieces]))


async def _fields(scene: Scene) -> None:
    """Events with `event:`, `id:` and `retry:` lines, and data over several lines."""
    pieces = []
    for number, piece in enumerate(scene.reply.pieces):
        if piece.startswith(b"data: {"):
            value = json.dumps(json.loads(piece[6:]), indent=1, ensure_ascii=False).encode()
            lines = [b"data: " + line for line in value.split(b"\n")]
            piece = b"event: message\nid: %d\nretry: 3000\n" % number + b"\n".join(lines) + b"\n\n"
        pieces.append(piece)
    await scene.call.play(replace(scene.reply, pieces=pieces))


async def _gzip(scene: Scene) -> None:
    """Compressed, though the client did not offer to take that."""
    headers = {**scene.reply.headers, "content-encoding": "gzip"}
    if not scene.reply.streamed:
        await scene.call.play(replace(scene.reply, headers=headers, pieces=[gzip.compress(scene.reply.content)]))
        return
    squeeze = zlib.compressobj(wbits=31)
    pieces = [squeeze.compress(piece) + squeeze.flush(zlib.Z_SYNC_FLUSH) for piece in scene.reply.pieces]
    await scene.call.play(replace(scene.reply, headers=headers, pieces=[*pieces, squeeze.flush()]))


def _inserted(reply: Reply, data: bytes) -> Reply:
    """The reply with bytes put at the beginning of its first text."""
    pieces = list(reply.pieces) if reply.streamed else [reply.content]
    for number, piece in enumerate(pieces):
        if found := TEXT.search(piece):
            pieces[number] = piece[: found.end()] + data + piece[found.end() :]
            break
    return replace(reply, pieces=pieces)


def _error(scene: Scene, code: int, message: str) -> Json:
    if scene.dialect == "openai":
        return errors.body(errors.Problem(code, message, kind="server_error"), "openai")
    metadata = {"error_type": "provider_unavailable", "provider_code": "server_error"}
    return {"error": {"code": code, "message": message, "metadata": metadata}}


FAULTS: dict[str, Play] = {
    "garbage-json": _garbage_json,
    "bad-utf8": _bad_utf8,
    "html": _html,
    "json-for-stream": _json_for_stream,
    "type": _type,
    "redirect": _redirect,
    "echo-key": _echo_key,
    "error-mid": _error_mid,
    "error-200": _error_200,
    "huge": _huge,
    "line-ends": _line_ends,
    "no-done": _no_done,
    "no-space": _no_space,
    "fields": _fields,
    "gzip": _gzip,
}
