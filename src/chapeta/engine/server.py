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
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

from chapeta import __version__
from chapeta.config import calm_threads
from chapeta.engine.llama import ContextTooSmall, Engine
from chapeta.engine.loaded import Loaded
from chapeta.errors import BadInput, ChapetaError
from chapeta.types import Answer, Constraint, Decoding, Json, Labels, Message, Request, Role, Schema

# what our own path understands; anything beyond goes to llama.cpp's own chat completions
PLAIN = frozenset((
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stream", "stream_options", "user",
    "metadata", "store", "chapeta", "provider", "transforms", "usage",
))  # fmt: skip
DEFAULT_TOKENS = 512
FINGERPRINT = f"chapeta-{__version__}"
MOST_LOGPROBS = 20
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
                self._send_json(200, {"tokens": self.server.loaded.use(data["file"], None, _counter(data))})
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
        own = None if set(data) - PLAIN and not _is_schema(data) else _request(data)
        if own is None:
            self.server.loaded.use(ours["file"], ours["adapter"], lambda engine: self._forward(engine, data))
        else:
            writer = _Chunks(self, data) if data.get("stream") else None
            answer = self.server.loaded.use(
                ours["file"], ours["adapter"], lambda engine: self._answer(engine, own, writer)
            )
            if writer is None:
                self._send_json(200, completion(answer, str(data["model"])))
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
        _require_known(data)
        body = {name: value for name, value in data.items() if name != "chapeta"}
        if "max_completion_tokens" in body:
            body["max_tokens"] = body.pop("max_completion_tokens")
        body["max_tokens"] = body.get("max_tokens") or DEFAULT_TOKENS
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
            _raise_for_context(said, room)
            self._send_bytes(response.status, said, "application/json")
        elif data.get("stream"):
            self._start_chunks("text/event-stream")
            for line in response:
                is_object = line.startswith(b"data: {")
                self._chunk(b"data: " + _named(line[6:], data, None) + b"\n" if is_object else line)
            self._chunk(b"")
        else:
            self._send_bytes(200, _named(response.read(), data, engine), "application/json")

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
        self._head |= {"created": int(time.time()), "model": str(data["model"]), "system_fingerprint": FINGERPRINT}
        options = data.get("stream_options") or {}
        self._usage = bool(options.get("include_usage"))
        self._started = False

    def text(self, text: str) -> None:
        delta: Json = {"content": text}
        if not self._started:
            self._handler._start_chunks("text/event-stream")
            self._started = True
            delta["role"] = "assistant"
        self._send({**self._head, "choices": [_choice(delta, None)]})

    def finish(self, answer: Answer) -> None:
        if not self._started:
            self.text("")
        self._send({**self._head, "choices": [_choice({}, answer.finish)]})
        if self._usage:
            self._send({**self._head, "choices": [], "usage": _usage(answer)})
        self._handler._chunk(b"data: [DONE]\n\n")
        self._handler._chunk(b"")

    def _send(self, value: Json) -> None:
        self._handler._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")


def completion(answer: Answer, model: str) -> Json:
    """An answer as OpenAI's chat completion."""
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish, "logprobs": None}
    head = {"id": f"chatcmpl-{os.urandom(8).hex()}", "object": "chat.completion", "created": int(time.time())}
    return {**head, "model": model, "system_fingerprint": FINGERPRINT, "choices": [choice], "usage": _usage(answer)}


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


def _counter(data: Json) -> Callable[[Engine], int]:
    """Tokens of a bare text, or of a conversation in the model's template, ready for its answer."""
    if "messages" not in data:
        return lambda engine: engine.count_tokens(data["text"])
    messages = [Message(role, content) for role, content in data["messages"]]
    return lambda engine: len(engine.prompt_tokens(messages))


def _request(data: Json) -> Request | None:
    """A plain request as ours; None if its messages have more than text."""
    messages: list[Message] = []
    for turn in data["messages"]:
        content = turn.get("content")
        if isinstance(content, list) and all(part.get("type") == "text" for part in content):
            content = "".join(part["text"] for part in content)
        role = "system" if turn["role"] == "developer" else turn["role"]
        if not isinstance(content, str) or role not in ("system", "user", "assistant") or turn.get("tool_calls"):
            return None
        messages.append(Message(cast(Role, role), content))
    ours = data["chapeta"]
    constraint: Constraint | None = Labels(tuple(ours["labels"])) if ours.get("labels") else None
    if constraint is None and _is_schema(data):
        constraint = Schema(_checked_schema(data["response_format"]["json_schema"]))
    room = data.get("max_completion_tokens") or data.get("max_tokens") or DEFAULT_TOKENS
    temperature = data.get("temperature")
    decoding = Decoding(
        room, constraint, 1.0 if temperature is None else float(temperature), int(data.get("seed") or 0)
    )
    return Request(str(Path(ours["file"])), tuple(messages), decoding, ours["adapter"])


def _checked_schema(form: Json) -> Json:
    """The schema of a `response_format`. Raises BadInput if it is none."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    schema = form.get("schema") if isinstance(form, dict) else None
    if not isinstance(schema, dict):
        raise BadInput("`response_format.json_schema` has no `schema`.", "Give a JSON schema.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadInput(f"`response_format` is no JSON schema ({error.message[:200]}).", "Mend it.") from None
    return schema


def _is_schema(data: Json) -> bool:
    """Whether the only thing beyond a plain request is a JSON schema for the answer."""
    form = data.get("response_format")
    return set(data) - PLAIN == {"response_format"} and isinstance(form, dict) and "json_schema" in form


def _require_known(data: Json) -> None:
    """Raises BadInput for what llama.cpp would overlook: images, tools that have to be called, values out of range."""
    if data.get("tools") and data.get("tool_choice") not in (None, "auto", "none"):
        raise BadInput(
            "The local model cannot be made to call a tool.", "Choose another model, or leave tool_choice out."
        )
    if not 0 <= (data.get("top_logprobs") or 0) <= MOST_LOGPROBS:
        raise BadInput(f"`top_logprobs` is {data['top_logprobs']}.", f"Give 0 to {MOST_LOGPROBS}.")
    stop = data.get("stop")
    if stop is not None and not (
        isinstance(stop, str) or (isinstance(stop, list) and all(isinstance(s, str) for s in stop))
    ):
        raise BadInput(f"`stop` is {str(stop)[:80]}.", "Give a text, or a list of texts.")
    for turn in data["messages"]:
        content = turn.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") != "text":
                raise BadInput(f"The local model takes no '{part.get('type')}', only text.", "Choose another model.")


def _named(said: bytes, data: Json, engine: Engine | None) -> bytes:
    """llama.cpp's answer with the model's own name, which is a path there, and the fields that OpenAI's clients expect.

    engine: counts the tokens of several choices, of which llama.cpp tells one choice's alone.
    """
    value: Json = json.loads(said)
    value["model"] = data["model"]
    value.pop("timings", None)
    if "error" not in value:
        value["system_fingerprint"] = FINGERPRINT
        if engine is not None and len(value["choices"]) > 1:
            usage = value["usage"]
            counts = [
                engine.count_tokens(c["message"].get("content") or "") + (c["finish_reason"] == "stop")
                for c in value["choices"]
            ]
            usage["completion_tokens"] = sum(counts)
            usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        value.setdefault("id", f"chatcmpl-{os.urandom(8).hex()}")
        for choice in value["choices"]:
            choice.setdefault("logprobs", None)
            if "message" in choice:
                choice["message"].setdefault("refusal", None)
    return json.dumps(value).encode()


def _raise_for_context(said: bytes, room: int) -> None:
    """llama.cpp's refusal for want of context as ours, so that more is loaded."""
    try:
        error = json.loads(said)["error"]
        needed = int(error["n_prompt_tokens"]) + room
    except (ValueError, KeyError, TypeError):
        return
    raise ContextTooSmall(needed, int(error.get("n_ctx", 0)))


def _usage(answer: Answer) -> Json:
    usage = answer.usage
    return {
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in + usage.tokens_out,
        "prompt_tokens_details": {"cached_tokens": usage.tokens_cached},
    }


def _choice(delta: Json, finish: str | None) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}


if __name__ == "__main__":
    main()
