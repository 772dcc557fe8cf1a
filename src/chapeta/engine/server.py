"""The embedded engine in a process of its own: if llama.cpp dies, the gateway lives, and starts it again.

Started as `python -m chapeta.engine.server`. The first line on standard input is a secret that every request has to
carry; the answer on standard output is the port, on loopback. The process ends with standard input: with who started it.

It speaks OpenAI's chat completions, as every other provider does, with one field more, `chapeta`:
{"file": GGUF, "adapter": GGUF or null, "labels": [...] or null}. `POST /tokens` {"file", "text" or "messages"} counts
tokens.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chapeta.config import calm_threads
from chapeta.engine import wire
from chapeta.engine.llama import ContextTooSmall, Engine
from chapeta.engine.loaded import Loaded
from chapeta.errors import BadInput, ChapetaError
from chapeta.types import Answer, Json, Request

LOOK_EVERY_S = 0.2


class Gone(Exception):
    """Who asked has closed the connection."""


class Server(ThreadingHTTPServer):
    """Listens on loopback; every request on a thread of its own."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, secret: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secret = secret
        self.loaded = Loaded()

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that end are nothing to report."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not hmac.compare_digest(self.headers.get("authorization", ""), f"Bearer {self.server.secret}"):
            self._send_error(401, "This door is the gateway's alone.")
            return
        try:
            data = json.loads(body)
            if self.path == "/tokens":
                self._send_json(200, {"tokens": self.server.loaded.use(data["file"], None, wire.counter(data))})
            else:
                self._chat(data)
        except ContextTooSmall as error:
            self._send_error(400, str(error), "context_length_exceeded")
        except BadInput as error:
            self._send_error(400, str(error))
        except ChapetaError as error:
            self._send_error(503, str(error))
        except (KeyError, TypeError, AttributeError) as error:
            self._send_error(400, f"The request has something of a wrong type ({error}).")
        except (Gone, ConnectionError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted in the ledger, not here."""

    def _chat(self, data: Json) -> None:
        ours = data["chapeta"]
        own = wire.request_of(data)
        if own is None:
            self.server.loaded.use(ours["file"], ours["adapter"], lambda engine: self._forward(engine, data))
        else:
            writer = _Chunks(self, data) if data.get("stream") else None
            answer = self.server.loaded.use(
                ours["file"], ours["adapter"], lambda engine: self._answer(engine, own, writer)
            )
            if writer is None:
                self._send_json(200, wire.completion(answer, str(data["model"])))
            else:
                writer.finish(answer)

    def _answer(self, engine: Engine, request: Request, writer: _Chunks | None) -> Answer:
        """Answers, looking at each token whether somebody still listens."""

        def on_text(text: str) -> None:
            if writer is not None:
                writer.text(text)
            elif self._is_gone():
                raise Gone

        return engine.answer(request, on_text)

    def _forward(self, engine: Engine, data: Json) -> None:
        """Lets llama.cpp answer in its own chat completions, and copies what it says."""
        ours = data["chapeta"]
        wire.require_known(data)
        body = {name: value for name, value in data.items() if name != "chapeta"}
        if "max_completion_tokens" in body:
            body["max_tokens"] = body.pop("max_completion_tokens")
        body["max_tokens"] = body.get("max_tokens") or wire.DEFAULT_TOKENS
        try:
            with engine.beginnings.answering(()), self._watching(engine):
                self._copy(engine, engine.forward(body, ours["adapter"]), data, int(body["max_tokens"]))
        except BaseException:
            engine.hang_up()
            raise

    def _copy(self, engine: Engine, response: HTTPResponse, data: Json, room: int) -> None:
        """Passes llama.cpp's answer on."""
        if response.status != 200:
            said = response.read()
            wire.raise_for_context(said, room)
            self._send_bytes(response.status, said, "application/json")
        elif data.get("stream"):
            self._start_chunks("text/event-stream")
            for line in response:
                is_object = line.startswith(b"data: {")
                self._chunk(b"data: " + wire.named(line[6:], data, None) + b"\n" if is_object else line)
            self._chunk(b"")
        else:
            self._send_bytes(200, wire.named(response.read(), data, engine), "application/json")

    @contextlib.contextmanager
    def _watching(self, engine: Engine) -> Iterator[None]:
        """Ends llama.cpp's work if who asked goes away meanwhile."""
        over = threading.Event()
        thread = threading.get_ident()

        def watch() -> None:
            while not over.wait(LOOK_EVERY_S):
                if self._is_gone():
                    engine.give_up(thread)
                    return

        threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _is_gone(self) -> bool:
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):  # reset, or closed by us
            return True

    def _start_chunks(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _send_json(self, status: int, value: Json) -> None:
        self._send_bytes(status, json.dumps(value).encode(), "application/json")

    def _send_error(self, status: int, message: str, code: str | None = None) -> None:
        self._send_json(status, {"error": {"message": message, "type": "engine_error", "param": None, "code": code}})

    def _send_bytes(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Chunks:
    """An answer as OpenAI's stream of chunks. Nothing is sent before the first text, so that errors keep their status."""

    def __init__(self, handler: Handler, data: Json) -> None:
        self._handler = handler
        self._head: Json = {"id": f"chatcmpl-{os.urandom(8).hex()}", "object": "chat.completion.chunk"}
        self._head |= {"created": int(time.time()), "model": str(data["model"]), "system_fingerprint": wire.FINGERPRINT}
        options = data.get("stream_options") or {}
        self._usage = bool(options.get("include_usage"))
        self._started = False

    def text(self, text: str) -> None:
        delta: Json = {"content": text}
        if not self._started:
            self._handler._start_chunks("text/event-stream")
            self._started = True
            delta["role"] = "assistant"
        self._send({**self._head, "choices": [wire.choice(delta, None)]})

    def finish(self, answer: Answer) -> None:
        if not self._started:
            self.text("")
        self._send({**self._head, "choices": [wire.choice({}, answer.finish)]})
        if self._usage:
            self._send({**self._head, "choices": [], "usage": wire.usage_of(answer)})
        self._handler._chunk(b"data: [DONE]\n\n")
        self._handler._chunk(b"")

    def _send(self, value: Json) -> None:
        self._handler._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")


def main() -> None:
    """Serves until standard input ends."""
    calm_threads()
    secret = sys.stdin.readline().strip()
    server = Server(secret)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def _end_with_parent() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
