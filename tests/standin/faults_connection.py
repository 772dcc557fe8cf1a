"""Faults of the connection: silence, breaking off, HTTP that is odd or wrong. One function a fault, listed at the bottom.

`after` counts the pieces that come first: events of a stream, halves of a JSON body; at least one stays unsaid.
"""

from __future__ import annotations

import socket
from dataclasses import replace

from .scene import Play, Scene, event


async def _stall(scene: Scene) -> None:
    """Not a byte until released."""
    await scene.call.hold()
    await scene.call.play(scene.reply)


async def _stall_headers(scene: Scene) -> None:
    """Headers, then silence until released."""
    await _stall_mid(scene, after=0)


async def _stall_mid(scene: Scene, after: int = 3) -> None:
    """Some pieces, then silence until released."""
    await scene.call.begin(scene.reply, after)
    await scene.call.hold()
    await scene.call.go_on(scene.reply, after)


async def _close(scene: Scene, reset: bool = False) -> None:
    """The connection closes before any byte of an answer."""
    scene.call.drop(reset)


async def _cut(scene: Scene, after: int = 3, reset: bool = False) -> None:
    """The connection closes after some pieces: no last chunk, no whole body."""
    await scene.call.begin(scene.reply, after)
    scene.call.drop(reset)


async def _cut_event(scene: Scene, after: int = 3) -> None:
    """The connection closes in the middle of an event (or of a body)."""
    await scene.call.begin(scene.reply, after)
    piece = scene.reply.pieces[min(after, len(scene.reply.pieces) - 1)]
    await scene.call.write(piece[: len(piece) // 2])
    scene.call.drop()


async def _cut_quietly(scene: Scene, after: int = 3) -> None:
    """The chunked body ends as it should, but the stream in it has neither an end nor [DONE]."""
    await scene.call.begin(scene.reply, after)
    await scene.call.end()


async def _close_idle(scene: Scene) -> None:
    """A good answer that says nothing of closing; then the kept connection is closed."""
    await scene.call.play(scene.reply)
    scene.call.drop()


async def _close_said(scene: Scene) -> None:
    """A good answer with `Connection: close`."""
    scene.call.keep = False
    await scene.call.play(scene.reply)


async def _garbage(scene: Scene) -> None:
    """Bytes that are not HTTP."""
    await scene.call.raw(b"\x16\x03\x01\x00\xa5 SSH-2.0-standin\r\n\x00\xff\xfe\r\n\r\n")
    scene.call.drop()


async def _slow(scene: Scene, delay_s: float = 0.05) -> None:
    """Time goes by before each piece."""
    await scene.call.start(scene.reply)
    for piece in scene.reply.pieces:
        await scene.call.pause(delay_s)
        await scene.call.write(piece)
    await scene.call.end()


async def _drip(scene: Scene, delay_s: float = 0.0, size: int = 1) -> None:
    """Chunks of one byte, themselves sent a byte at a time: characters, events and chunk borders are split everywhere."""
    await scene.call.start(scene.reply)
    content = scene.reply.content
    for start in range(0, len(content), size):
        for byte in scene.call.framed(content[start : start + size]):
            await scene.call.raw(bytes((byte,)))
            await scene.call.pause(delay_s)
    await scene.call.end()


async def _http10(scene: Scene) -> None:
    """HTTP/1.0 without a length: the connection's end is the answer's."""
    await scene.call.start(scene.reply, "close", version="HTTP/1.0")
    for piece in scene.reply.pieces:
        await scene.call.write(piece)
    scene.call.drop()


async def _length(scene: Scene, off: int = 100) -> None:
    """A Content-Length that is wrong by `off` bytes; the connection then closes."""
    await scene.call.start(scene.reply, "length", length=len(scene.reply.content) + off)
    await scene.call.write(scene.reply.content)
    scene.call.drop()


async def _continue(scene: Scene) -> None:
    """100 Continue before the answer, which nobody asked for."""
    await scene.call.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
    await scene.call.play(scene.reply)


async def _endless(scene: Scene, size: int = 1024) -> None:
    """Events of about `size` bytes without end, as fast as the client takes them. Few bytes wait on this side."""
    scene.call.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    scene.call.transport.set_write_buffer_limits(high=1 << 16)
    head = {name: scene.whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    one = event({**head, "choices": [{"index": 0, "delta": {"content": "x" * size}, "finish_reason": None}]})
    await scene.call.start(replace(scene.reply, streamed=True))
    while True:
        await scene.call.write(one)
        await scene.call.pause(0)


FAULTS: dict[str, Play] = {
    "stall": _stall,
    "stall-headers": _stall_headers,
    "stall-mid": _stall_mid,
    "close": _close,
    "cut": _cut,
    "cut-event": _cut_event,
    "cut-quietly": _cut_quietly,
    "close-idle": _close_idle,
    "close-said": _close_said,
    "garbage": _garbage,
    "slow": _slow,
    "drip": _drip,
    "http10": _http10,
    "length": _length,
    "continue": _continue,
    "endless": _endless,
}
