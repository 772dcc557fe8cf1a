"""The one model that is loaded, and when it has to be loaded again.

llama.cpp takes its adapters when it loads, so a new adapter, or a prompt that needs more context, means loading the model
again (about a second for the embedded one); requests in flight are waited for. Adapters of one base share one loaded model.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from chapeta.engine import weights
from chapeta.engine.llama import ContextTooSmall, Engine
from chapeta.errors import BadInput

SLOTS = 4
FIRST_CONTEXT_TOKENS = 2048
Result = TypeVar("Result")


class Loaded:
    """Holds the engine of one model at a time. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._engine: Engine | None = None
        self._in_use = 0
        self._queue: deque[object] = deque()

    def use(self, model: str, adapter: str | None, work: Callable[[Engine], Result]) -> Result:
        """Does the work with the model loaded, with more context if it asks for it, up to what the model was trained for."""
        needed = FIRST_CONTEXT_TOKENS
        while True:
            with self._engine_for(model, adapter, needed) as engine:
                try:
                    return work(engine)
                except ContextTooSmall as error:
                    longest = engine.longest_context()
                    if error.needed > longest or error.needed <= engine.context_tokens:
                        raise ContextTooSmall(error.needed, longest) from None
                    needed = error.needed

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None

    @contextmanager
    def _engine_for(self, model: str, adapter: str | None, context_tokens: int) -> Iterator[Engine]:
        """The loaded engine, loaded again first if the model, the adapter or the context ask for it.

        Calls are let in as they came: one that waits for another model is not overtaken by those of the present one.
        """
        file = weights.ensure(model)
        ticket = object()
        with self._lock:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or (
                    self._in_use and not _fits(self._engine, file, adapter, context_tokens)
                ):
                    self._lock.wait()
                if not _fits(self._engine, file, adapter, context_tokens):
                    self._engine = self._load(file, adapter, context_tokens)
                engine = self._engine
                assert engine is not None
                self._in_use += 1
            finally:
                self._queue.remove(ticket)
                self._lock.notify_all()
        try:
            yield engine
        finally:
            with self._lock:
                self._in_use -= 1
                self._lock.notify_all()

    def _load(self, file: Path, adapter: str | None, context_tokens: int) -> Engine:
        if adapter is not None and not Path(adapter).is_file():
            raise BadInput(f"There is no adapter {adapter}.", "Deploy the run anew: `chapeta deploy RUN`.")
        before = self._engine if self._engine and self._engine.model == file else None
        adapters = dict.fromkeys((*(before.adapters if before else ()), *((adapter,) if adapter else ())))
        room = max(before.context_tokens if before else 0, FIRST_CONTEXT_TOKENS)
        while room < context_tokens:
            room *= 2
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        slots = max(1, SLOTS * FIRST_CONTEXT_TOKENS // room)
        return Engine(file, tuple(a for a in adapters if Path(a).exists()), slots, room)


def _fits(engine: Engine | None, file: Path, adapter: str | None, context_tokens: int) -> bool:
    if engine is None or engine.model != file or engine.context_tokens < context_tokens:
        return False
    return adapter is None or adapter in engine.adapters
