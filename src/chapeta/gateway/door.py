"""One door to every model, for code that waits for its answer: the bench, the stages, the command line.

Behind it the same core as behind the HTTP server, on an event loop in a thread of its own that begins with the first call.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from chapeta import config
from chapeta.engine import weights
from chapeta.errors import BadInput, ChapetaError, Missing, ModelFailed, OverLimit
from chapeta.gateway import translate
from chapeta.gateway.attempt import Reply
from chapeta.gateway.catalog import context_tokens_of, price_of
from chapeta.gateway.core import AnyStream, Caller, Core
from chapeta.gateway.fault import Fault
from chapeta.gateway.ledger import Ledger
from chapeta.gateway.pace import MOST_IN_FLIGHT
from chapeta.gateway.providers import embedded
from chapeta.gateway.purse import Purse
from chapeta.gateway.route import Route, Router
from chapeta.types import Answer, Candidate, Decoding, Price, Request

CHAT_TOKENS = 512
BUDGETED_CALLS = 16  # in flight at a provider under a budget, which they may pass together
REMOTE_CONTEXT_TOKENS = 8192  # where the catalogue does not say
BYTES_A_TOKEN = 4
FREE = Price(0.0, 0.0)
OnText = Callable[[str], None]
Result = TypeVar("Result")


class Gateway:
    """Answers requests, from any thread. Use it in a `with` block, which ends what it started.

    budget_usd: cap of what all its calls may cost; spent_usd: of it, before. run: named in the ledger.
    before_paying: called before the first call to a provider; what it raises is raised by that call and all later ones.
    """

    def __init__(self, budget_usd: float | None = None, run: str = "", spent_usd: float = 0.0) -> None:
        self._purse = Purse(budget_usd, spent_usd) if budget_usd is not None else None
        self.before_paying: Callable[[], None] | None = None
        self._refusal: ChapetaError | None = None
        self._agreeing = threading.Lock()
        self._caller = Caller(run=run, local=True, is_us=True)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._core: Core | None = None
        self._router = Router()
        self._calls: set[asyncio.Task[Any]] = set()  # of the loop's thread

    @property
    def spent_usd(self) -> float:
        """What the calls have cost so far, as far as it is known."""
        return self._purse.spent_usd if self._purse else 0.0

    def answer(self, request: Request, on_text: OnText | None = None) -> Answer:
        """The answer of the request's model; `on_text` gets the text as it comes.

        Raises ModelFailed, BadInput where the request cannot be served, Missing where a key is, OverLimit once more than
        the budget is spent (by the calls that were then in flight at most).
        """
        if self.before_paying is not None and not weights.is_local(request.model):
            self.agree()
        body = translate.body_of(request, stream=on_text is not None)
        try:
            return self._stream(body, on_text) if on_text else self._run(self._whole(body))
        except Fault as fault:
            raise _as_error(fault) from None

    def agree(self) -> None:
        """Asks `before_paying` now, if it was not asked yet."""
        with self._agreeing:
            if self._refusal is not None:
                raise self._refusal
            if self.before_paying is not None:
                try:
                    self.before_paying()
                except ChapetaError as error:
                    self._refusal = error
                    raise
                self.before_paying = None

    def candidate(self, model: str) -> Candidate:
        """What a name stands for: a deployment's candidate, or the bare model with free text."""
        route = self._route(model)
        if route.candidate is not None:
            return route.candidate
        return Candidate(name=model, model=model, decoding=Decoding(max_tokens=CHAT_TOKENS))

    def identity(self, request: Request) -> str:
        """What decides the answer besides the request: hashes of weights and adapter, or provider and model."""
        if weights.is_local(request.model):
            return embedded.identity(request.model, request.adapter)
        return self._route(request.model).id

    def count_tokens(self, model: str, text: str) -> int:
        """Tokens of a bare text: counted for local models, estimated from its bytes for others."""
        if not weights.is_local(model):
            return -(-len(text.encode()) // BYTES_A_TOKEN)
        try:
            return self._run(self._started().count_tokens(str(weights.ensure(model)), text))
        except Fault as fault:
            raise _as_error(fault) from None

    def context_tokens(self, model: str) -> int:
        """How many tokens of prompt and answer the model takes."""
        if weights.is_local(model):
            return embedded.context_tokens(model)
        return context_tokens_of(self._route(model).id) or REMOTE_CONTEXT_TOKENS

    def price_of(self, model: str) -> Price | None:
        """What a model costs; None if nobody says. Local ones cost nothing."""
        return FREE if weights.is_local(model) else price_of(self._route(model).id)

    def concurrency(self, model: str) -> int:
        """How many requests may be worth having in flight; at a provider `Pace` finds out how many are."""
        if weights.is_local(model):
            return embedded.SLOTS
        return BUDGETED_CALLS if self._purse is not None else MOST_IN_FLIGHT

    def close(self) -> None:
        with self._lock:
            loop, core, self._loop, self._core = self._loop, self._core, None, None
        if loop is not None and core is not None:
            asyncio.run_coroutine_threadsafe(self._end(core), loop).result()
            loop.call_soon_threadsafe(loop.stop)

    def cancel(self) -> None:
        """Ends the calls in flight, of all threads: who waits for one of them gets a CancelledError."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(lambda: [call.cancel() for call in self._calls])

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _route(self, model: str) -> Route:
        try:
            return self._router.find(model)
        except Fault as fault:
            raise _as_error(fault) from None

    async def _end(self, core: Core) -> None:
        calls = tuple(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await core.close()

    async def _chat(self, body: bytes) -> Reply | AnyStream:
        """A call of the core, which `cancel` knows of until it is over."""
        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await self._started().chat(body, self._caller)

    async def _whole(self, body: bytes) -> Answer:
        reply = await self._chat(body)
        assert isinstance(reply, Reply)
        return translate.answer(reply)

    def _stream(self, body: bytes, on_text: OnText) -> Answer:
        """Streams; `on_text` is called in the caller's own thread."""
        texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        async def read() -> Answer:
            try:
                stream = await self._chat(body)
                assert not isinstance(stream, Reply)
                return await translate.read_stream(stream, texts.put)
            finally:
                texts.put(None)

        future = asyncio.run_coroutine_threadsafe(read(), self._running())
        try:
            while (text := texts.get()) is not None:
                on_text(text)
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result()
        except Fault as fault:
            raise fault from None
        except BaseException:  # Ctrl-C: the provider's work stops too
            future.cancel()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        """The event loop, started with the first call."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._core = Core(Ledger(config.database_url()), purse=self._purse)
                threading.Thread(target=_serve, args=(self._loop,), name="gateway", daemon=True).start()
            return self._loop

    def _started(self) -> Core:
        self._running()
        core = self._core
        assert core is not None
        return core


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.close()


def _as_error(fault: Fault) -> ChapetaError:
    """A fault as the command line's error."""
    if fault.code == "budget_spent":
        return OverLimit(fault.message, fault.remedy)
    if fault.code == "no_provider_key":
        return Missing(fault.message, fault.remedy)
    kind = BadInput if fault.status in (400, 404, 413, 422) else ModelFailed
    raw = f" ({fault.raw[:300]})" if fault.raw and fault.raw not in fault.message else ""
    return kind(f"{fault.message}{raw}", fault.remedy)
