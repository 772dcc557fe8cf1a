"""llama.cpp in this process: one loaded model, its LoRA adapters chosen per request, several requests at once.

Every request becomes token ids through the model's own chat template, so the tokens that are counted, cached and answered
are the same. Prompt prefixes stay in the slots' caches: a long skill is computed once, not once a row (`beginnings.py`).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from chapeta.config import calm_threads, cores, passing_dir
from chapeta.engine.beginnings import Beginnings
from chapeta.engine.closed import Tokens, closed_form, decode
from chapeta.errors import BadInput, ModelFailed
from chapeta.types import Answer, Finish, Json, Message, Request, Schema, Usage

ALLOW = 1000.0  # added to the logit of an allowed token: far above any spread of real logits
PROMPT_CACHE_MIB = 512  # prompts that have lost their slot: chats in turn; llama.cpp's own default is 8 GiB
TURN_MARK = "«answer»"
# llama.cpp is built with llguidance, which takes this from the schema: no white space between the parts
COMPACT_JSON = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
OnText = Callable[[str], None]


class Engine:
    """A loaded GGUF model. Safe to call from several threads; `slots` requests run at a time.

    context_tokens: room of one request, prompt and answer together; the cache takes slots × context_tokens.
    """

    def __init__(self, model: Path, adapters: Sequence[str] = (), slots: int = 4, context_tokens: int = 2048) -> None:
        calm_threads()
        import xllamacpp

        self.model = model
        self.adapters = tuple(adapters)
        self.slots = slots
        self.context_tokens = context_tokens
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(model)
        parameters.n_parallel = slots
        parameters.n_ctx = slots * context_tokens
        parameters.n_ubatch = 128  # measured on two AVX2 cores: 195 tokens/s in, against 159 at 512
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = cores()
        parameters.warmup = False
        # what it keeps there is found by its tokens alone, whichever adapter they were computed with: with adapters, a tuned
        # model would go on from what the base model has made of the same prompt (a test found it)
        parameters.cache_ram_mib = 0 if self.adapters else PROMPT_CACHE_MIB
        parameters.cache_idle_slots = False  # else every task copies there what the idle slots have
        parameters.verbosity = -1
        self._copies = passing_dir() / f"engine-{secrets.token_hex(8)}"  # is there for a moment only
        parameters.slot_save_path = f"{self._copies}{os.sep}"
        self._secret = secrets.token_hex(16)  # the library also listens on loopback; nobody else may use that door
        parameters.api_keys = [self._secret]
        if self.adapters:
            parameters.lora_adapters = [_adapter(xllamacpp, path) for path in self.adapters]
            parameters.lora_init_without_apply = True
        try:
            with _quiet_stderr():
                self._server = xllamacpp.Server(parameters)
        except Exception as error:
            raise ModelFailed(
                f"llama.cpp could not load {model} ({error}).", "Check the file and the free memory."
            ) from error
        self._local = threading.local()
        self._lines: WeakValueDictionary[int, Line] = WeakValueDictionary()  # the same, by thread
        self.beginnings = Beginnings(self._copy_to_all)
        self._answer_tokens = lru_cache(maxsize=65536)(self.tokenise)
        self.end_of_turn = self._end_of_turn()

    def answer(self, request: Request, on_text: OnText | None = None) -> Answer:
        """Answers one request. `on_text` receives the text piece by piece as it is decoded.

        Raises BadInput where prompt and answer do not fit `context_tokens`, ModelFailed where llama.cpp refuses.
        """
        started = time.perf_counter()
        prompt = self.prompt_tokens(request.messages)
        needed = len(prompt) + request.decoding.max_tokens
        if needed > self.context_tokens:
            raise ContextTooSmall(needed, self.context_tokens)
        base = {"lora": self._lora(request.adapter), "temperature": request.decoding.temperature, "cache_prompt": True}
        base["seed"] = request.decoding.seed
        closed = closed_form(request.decoding.constraint)
        with self.beginnings.answering(prompt, request.adapter, brief=closed is not None):
            if closed is not None:
                text, usage, finish = self._closed(prompt, closed, base)
                if on_text:
                    on_text(text)
            else:
                text, usage, finish = self._open(prompt, request, base, on_text)
        return Answer(text, usage, (time.perf_counter() - started) * 1000, finish, usd=0.0)

    def prompt_tokens(self, messages: Sequence[Message]) -> Tokens:
        """Tokens of a conversation in the model's chat template, ready for the assistant's answer."""
        return self.tokenise(self._template(messages), special=True)

    def tokenise(self, text: str, special: bool = False) -> Tokens:
        """Token ids of a text; with `special`, control tokens in it count as such."""
        body = {"content": text, "add_special": special, "parse_special": special}
        return tuple(self._post("/tokenize", body)["tokens"])

    def longest_context(self) -> int:
        """Tokens of context that the model was trained for."""
        connection = self._connection(fresh=False)
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {self._secret}"})
        models = _checked(connection.getresponse().read())
        return int(models["data"][0]["meta"]["n_ctx_train"])

    def close(self) -> None:
        """Frees the model; the engine cannot be used afterwards."""
        self._server = None

    def count_tokens(self, text: str) -> int:
        """Tokens of a bare text, outside any template."""
        return len(self.tokenise(text))

    def forward(self, body: Json, adapter: str | None) -> http.client.HTTPResponse:
        """llama.cpp's own chat completions, for what a plain request cannot say (tools, stop words, logprobs).

        The body's `max_tokens` defaults to the room that is left. The caller reads the response to its end.
        """
        return self._send("/v1/chat/completions", {"cache_prompt": True, **body, "lora": self._lora(adapter)})

    def give_up(self, thread: int) -> None:
        """Ends what llama.cpp is doing for another thread (its `threading.get_ident()`)."""
        line = self._lines.get(thread)
        if line is not None:
            line.give_up()

    def hang_up(self) -> None:
        """Closes this thread's connection, which ends the work that llama.cpp is doing for it."""
        self._connection(fresh=False).close()

    def _closed(self, prompt: Tokens, closed: Any, base: Json) -> tuple[str, Usage, Finish]:
        cached = 0
        asked = False

        def choose(so_far: Tokens, allowed: Sequence[int]) -> int:
            nonlocal cached, asked
            bias = [[token, ALLOW] for token in allowed]
            body = {**base, "prompt": [*prompt, *so_far], "n_predict": 1, "logit_bias": bias, "return_tokens": True}
            result = self._complete({**body, "temperature": 0})
            if not asked:
                cached, asked = int(result["timings"]["cache_n"]), True
            tokens = result["tokens"]
            # the end of turn stops the server without being returned as a token
            return int(tokens[0]) if tokens and tokens[0] in allowed else self.end_of_turn

        text, tokens = decode(closed, self._answer_tokens, self.end_of_turn, choose)
        return text, Usage(len(prompt), len(tokens), cached), "stop"

    def _open(self, prompt: Tokens, request: Request, base: Json, on_text: OnText | None) -> tuple[str, Usage, Finish]:
        body = {**base, "prompt": list(prompt), "n_predict": request.decoding.max_tokens}
        constraint = request.decoding.constraint
        if isinstance(constraint, Schema):
            body["json_schema"] = {**constraint.schema, "x-guidance": COMPACT_JSON}
        result = self._stream(body, on_text) if on_text else self._complete(body)
        finish: Finish = "length" if result.get("stop_type") == "limit" else "stop"
        usage = Usage(len(prompt), int(result["tokens_predicted"]), int(result["timings"].get("cache_n", 0)))
        return str(result["content"]), usage, finish

    def _copy_to_all(self, tokens: Tokens, adapter: str | None) -> None:
        """Lets every slot have these tokens as computed with the adapter, through a file that is removed at once."""
        if self.slots == 1:
            return
        body: Json = {"lora": self._lora(adapter), "n_predict": 0, "cache_prompt": True}
        source = int(self._complete({**body, "prompt": list(tokens)})["id_slot"])
        name = {"filename": "beginning"}
        try:
            self._copies.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._post(f"/slots/{source}?action=save", name)
            for slot in range(self.slots):
                if slot != source:
                    if self.adapters:  # a slot takes its adapter with a task, and would forget what was restored before
                        self._complete({**body, "prompt": list(tokens[:1]), "id_slot": slot})
                    self._post(f"/slots/{slot}?action=restore", name)
        finally:
            shutil.rmtree(self._copies, ignore_errors=True)

    def _complete(self, body: Json) -> Json:
        return self._post("/completion", body)

    def _stream(self, body: Json, on_text: OnText) -> Json:
        """Streams; the last event has the counts, the whole text is put together here."""
        pieces: list[str] = []
        last: Json = {}
        response = self._send("/completion", {**body, "stream": True})
        try:
            for line in response:
                if not line.startswith(b"data: "):
                    continue
                last = _checked(line.removeprefix(b"data: "))
                if piece := last.get("content"):
                    pieces.append(piece)
                    on_text(piece)
        except BaseException:  # who listened has gone: the rest is not decoded for nobody
            self.hang_up()
            raise
        return {**last, "content": "".join(pieces)}

    def _lora(self, adapter: str | None) -> list[Json]:
        if adapter is not None and adapter not in self.adapters:
            raise ModelFailed(f"The adapter {adapter} is not loaded.", "This is a fault of Chapeta; please report it.")
        return [{"id": place, "scale": float(path == adapter)} for place, path in enumerate(self.adapters)]

    def _end_of_turn(self) -> int:
        """The token that ends an assistant turn, read off the template with an answer in it."""
        turns = [Message("user", "q"), Message("assistant", TURN_MARK), Message("user", "q")]
        text = self._template(turns)
        tokens = self.tokenise(text.partition(TURN_MARK)[2], special=True)
        if not tokens:
            raise ModelFailed(f"{self.model.name} has no usable chat template.", "Choose an instruction-tuned model.")
        return tokens[0]

    def _template(self, messages: Sequence[Message]) -> str:
        body = {"messages": [{"role": m.role, "content": m.content} for m in messages]}
        return str(self._post("/apply-template", body)["prompt"])

    def _post(self, path: str, body: Json) -> Json:
        return _checked(self._send(path, body).read())

    def _send(self, path: str, body: Json) -> http.client.HTTPResponse:
        """Sends a request on this thread's own connection; a connection that was closed meanwhile is opened again."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._secret}"}
        content = json.dumps(body)
        for fresh in (False, True):
            connection = self._connection(fresh)
            try:
                connection.request("POST", path, content, headers)
                return connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError):
                if fresh or connection.given_up:
                    raise ModelFailed("llama.cpp closed the connection.", "Run the command again.") from None
        raise AssertionError("unreachable")

    def _connection(self, fresh: bool) -> Line:
        connection: Line | None = getattr(self._local, "connection", None)
        if connection is None or fresh or connection.given_up:
            address = urlsplit(self._server.listening_address)
            connection = Line(address.hostname or "127.0.0.1", address.port)
            self._local.connection = connection
            self._lines[threading.get_ident()] = connection
        return connection


class Line(http.client.HTTPConnection):
    """A connection that another thread may give up: what llama.cpp is doing for it ends."""

    given_up = False

    def give_up(self) -> None:
        self.given_up = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class ContextTooSmall(BadInput):
    """The prompt and the room for its answer do not fit the loaded context; `needed` tokens would."""

    def __init__(self, needed: int, room: int) -> None:
        super().__init__(
            f"The prompt and its answer need {needed:,} tokens; the context window has {room:,}.", "Shorten the input."
        )
        self.needed = needed


def _adapter(xllamacpp: Any, path: str) -> Any:
    info = xllamacpp.CommonAdapterLoraInfo()
    info.path = path
    info.scale = 1.0
    return info


def _checked(raw: bytes) -> Json:
    """The JSON object that llama.cpp said, or its error as ours."""
    value: Json = json.loads(raw)
    if "error" in value:
        error = value["error"]
        raise ModelFailed(f"llama.cpp refused: {error.get('message', error) if isinstance(error, dict) else error}.")
    return value


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keeps llama.cpp's loading messages, which it writes to the file descriptor itself, off the terminal."""
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
