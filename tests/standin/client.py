"""The plainest of clients, on http.client and bare sockets, so that no library smooths over what the stand-in does."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from .server import BASES, Standin

Json = dict[str, Any]
GPT = "openai/gpt-4.1-mini"


@dataclass(frozen=True, slots=True)
class Got:
    """A whole answer; headers with lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def chat(text: str = "one two three", model: str = GPT, **more: Any) -> Json:
    """The body of a chat request with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def call(upstream: Standin, method: str, path: str, body: Json | bytes | None = None, key: str | None = "") -> Got:
    """One request on a connection of its own. key "" is the right one, None sends none."""
    line = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=5)
    try:
        return on(line, upstream, method, path, body, key)
    finally:
        line.close()


def on(
    line: http.client.HTTPConnection, upstream: Standin, method: str, path: str, body: Json | bytes | None = None,
    key: str | None = "",
) -> Got:  # fmt: skip
    """One request on a connection that stays open."""
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key or upstream.key}"
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    line.request(method, BASES[upstream.dialect] + path, data, headers)
    answer = line.getresponse()
    return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def ask(upstream: Standin, body: Json) -> Got:
    """POST /chat/completions."""
    return call(upstream, "POST", "/chat/completions", body)


def send(upstream: Standin, body: Json) -> socket.socket:
    """Sends a chat request on a bare socket and reads nothing."""
    data = json.dumps(body).encode()
    head = (
        f"POST {BASES[upstream.dialect]}/chat/completions HTTP/1.1\r\nhost: standin\r\ncontent-length: {len(data)}\r\n"
    )
    line = socket.create_connection(("127.0.0.1", upstream.port), timeout=5)
    line.sendall(f"{head}authorization: Bearer {upstream.key}\r\n\r\n".encode() + data)
    return line


def read_until(line: socket.socket, mark: bytes) -> bytes:
    """What comes up to a mark, or to the end of the connection."""
    found = bytearray()
    while mark not in found:
        data = line.recv(65536)
        if not data:
            break
        found += data
    return bytes(found)


def read_all(line: socket.socket) -> bytes:
    """What comes until the connection closes."""
    found = bytearray()
    while data := line.recv(65536):
        found += data
    return bytes(found)
