"""The embedded engine as a provider: local GGUF models, loaded at the first request, adapters added as they come up.

llama.cpp takes its adapters when it loads, so a new adapter, or a prompt that needs more context, means loading the model
again (about a second for the embedded one); requests in flight are waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from chapeta.engine import weights
from chapeta.engine.gguf_header import read_header
from chapeta.engine.llama import ContextTooSmall, Engine
from chapeta.files import sha256
from chapeta.gateway.provider import OnText
from chapeta.types import Answer, Request

SLOTS = 4
FIRST_CONTEXT_TOKENS = 2048


class Embedded:
    """Serves the embedded models and any GGUF file by path."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._engine: Engine | None = None
        self._in_use = 0

    def serves(self, model: str) -> bool:
        return model in weights.MODELS or model.endswith(".gguf")

    def answer(self, request: Request, on_text: OnText | None) -> Answer:
        needed = FIRST_CONTEXT_TOKENS
        while True:
            with self._engine_for(request.model, request.adapter, needed) as engine:
                try:
                    return engine.answer(request, on_text)
                except ContextTooSmall as error:
                    longest = engine.longest_context()
                    if error.needed > longest:
                        raise ContextTooSmall(error.needed, longest) from None
                    needed = error.needed

    def identity(self, request: Request) -> str:
        file = weights.ensure(request.model)
        stat = file.stat()
        adapter = Path(request.adapter) if request.adapter else None
        marks = (adapter.stat().st_mtime_ns, adapter.stat().st_size) if adapter else (0, 0)
        return _identity(file, stat.st_mtime_ns, adapter, marks)

    def count_tokens(self, model: str, text: str) -> int:
        with self._engine_for(model, None, FIRST_CONTEXT_TOKENS) as engine:
            return engine.count_tokens(text)

    def context_tokens(self, model: str) -> int:
        return read_header(weights.ensure(model)).number("context_length")

    def concurrency(self, model: str) -> int:  # noqa: ARG002 - the protocol's signature
        return SLOTS

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None

    @contextmanager
    def _engine_for(self, model: str, adapter: str | None, context_tokens: int) -> Iterator[Engine]:
        """The loaded engine, loaded again first if the model, the adapter or the context ask for it."""
        file = weights.ensure(model)
        with self._lock:
            while not _fits(self._engine, file, adapter, context_tokens):
                if self._in_use:
                    self._lock.wait()
                else:
                    self._engine = self._load(file, adapter, context_tokens)
            engine = self._engine
            assert engine is not None
            self._in_use += 1
        try:
            yield engine
        finally:
            with self._lock:
                self._in_use -= 1
                self._lock.notify_all()

    def _load(self, file: Path, adapter: str | None, context_tokens: int) -> Engine:
        before = self._engine if self._engine and self._engine.model == file else None
        adapters = dict.fromkeys((*(before.adapters if before else ()), *((adapter,) if adapter else ())))
        room = max(before.context_tokens if before else 0, FIRST_CONTEXT_TOKENS)
        while room < context_tokens:
            room *= 2
        if self._engine is not None:
            self._engine.close()
        slots = max(1, SLOTS * FIRST_CONTEXT_TOKENS // room)
        return Engine(file, tuple(adapters), slots, room)


def _fits(engine: Engine | None, file: Path, adapter: str | None, context_tokens: int) -> bool:
    if engine is None or engine.model != file or engine.context_tokens < context_tokens:
        return False
    return adapter is None or adapter in engine.adapters


@lru_cache(maxsize=256)
def _identity(file: Path, _changed: int, adapter: Path | None, _marks: tuple[int, int]) -> str:
    return f"{weights.weights_sha256(file)}+{sha256(adapter) if adapter else ''}"
