"""The one way of a call: who may, where to, retries and fallbacks, the answer passed on, cost and ledger.

    body → read → routes (model, then its fallbacks) → attempts → answer or stream → record → ledger, budgets

The HTTP server (`api/`) and the blocking door (`door.py`) both come through here. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from chapeta.errors import BadInput, ChapetaError
from chapeta.gateway import body as bodies
from chapeta.gateway import retry
from chapeta.gateway.attempt import Attempts, Reply
from chapeta.gateway.body import Chat, Fields
from chapeta.gateway.catalog.prices import Prices
from chapeta.gateway.closed import Told, as_events, with_labels
from chapeta.gateway.dialects import Dialects
from chapeta.gateway.fault import Fault
from chapeta.gateway.http.pool import Pool
from chapeta.gateway.ledger import Ledger
from chapeta.gateway.ledger.access import AccessKey, Gate
from chapeta.gateway.providers.embedded import Embedded
from chapeta.gateway.purse import Purse
from chapeta.gateway.record import Record
from chapeta.gateway.render import render
from chapeta.gateway.route import Route, Router
from chapeta.gateway.stream import Stream
from chapeta.types import Message

AnyStream = Stream | Told
ANSWER_S = 600.0  # a provider may think for so long before it answers; longer is a stall


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `key`: their access key; `run`: the run that a bench belongs to.

    local: on this machine, without a key: may name .gguf files by path.
    is_us: the door, whose fields are our own choice: `chapeta` is heard, others are adapted to what a model takes.
        Its calls keep to the pace of their provider.
    """

    key: AccessKey | None = None
    run: str = ""
    local: bool = False
    is_us: bool = False


class _Entered:
    """Around a call: whatever ends it early is entered with its reason. What ends well is entered by who has its end."""

    __slots__ = ("_enter", "_record")

    def __init__(self, record: Record, enter: Callable[[Record], None]) -> None:
        self._record = record
        self._enter = enter

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, Fault):
            error.call_id = self._record.id
            self._record.failed(error)
        elif isinstance(error, Exception):
            self._record.failed(Fault(500, str(error), code="internal_error", sent=self._record.sent))
        else:
            self._record.cancelled()
        self._enter(self._record)


class Core:
    """Serves calls. `gate` and `purse` hold them to their budgets, `ledger` keeps a row of each."""

    def __init__(
        self, ledger: Ledger, gate: Gate | None = None, purse: Purse | None = None, keep_content: bool = False,
        answer_s: float = ANSWER_S,
    ) -> None:  # fmt: skip
        self.router = Router()
        self.embedded = Embedded()
        self.gate = gate
        self._ledger = ledger
        self._purse = purse
        self._keep_content = keep_content
        self._pool = Pool()
        self._attempts = Attempts(self._pool, self.embedded, answer_s, keep_content, self._enter)
        self._prices = Prices()
        self._dialects = Dialects()
        self._guesses: set[asyncio.Task[None]] = set()

    async def chat(self, body: bytes, caller: Caller) -> Reply | AnyStream:
        """A chat completion. Raises Fault; every call that gets as far as here has a row in the ledger."""
        record = Record(caller.key, caller.run)
        with _Entered(record, self._enter):
            chat, fields = bodies.read_chat(body)
            record.paced = caller.is_us
            if not caller.is_us:
                fields.pop("chapeta", None)
            models = [chat.model]
            if chat.models is not None:
                models = list(dict.fromkeys(name for name in (chat.model, *chat.models) if name))
            record.streamed = bool(chat.stream)
            if self._keep_content:
                record.prompt = bytes(fields["messages"]).decode()
            routes = await self._routes(models, caller)
            return await self._first_that_answers(routes, record, chat, fields, caller.is_us)

    async def embed(self, body: bytes, caller: Caller) -> Reply:
        """Embeddings, by a provider that makes them."""
        record = Record(caller.key, caller.run)
        with _Entered(record, self._enter):
            asked, fields = bodies.read_embeddings(body)
            route = (await self._routes([asked.model], caller))[0]
            record.route = route
            if route.upstream is None:
                remedy = "Name a model that does, such as openai/text-embedding-3-small."
                raise Fault(400, f"'{asked.model}' makes no embeddings.", remedy, "not_supported", param="model")
            await self._allow(route, record)
            data = bodies.write(fields, {"model": route.model})
            record.sent_bytes = len(data)
            reply = await self._attempts.with_retries(route, record, "/embeddings", data, None)
            assert isinstance(reply, Reply)
            self._enter(record)
            return reply

    async def route(self, model: str) -> Route:
        """Who would answer to a name. Raises Fault."""
        return (await self._routes([model], Caller()))[0]

    async def count_tokens(self, file: str, what: str | Sequence[Message]) -> int:
        """Tokens of a bare text in a local model's vocabulary, or of a conversation ready for its answer."""
        return await self._attempts.count_tokens(file, what)

    async def close(self) -> None:
        """Ends calls in flight, the engine's process, and writes the ledger's last rows."""
        try:
            self._pool.close()
            self.embedded.close()
            await asyncio.sleep(0)  # calls in flight hear of it, and are entered
            await asyncio.gather(*self._guesses, return_exceptions=True)
        finally:
            self._ledger.close()

    async def _routes(self, models: list[str], caller: Caller) -> list[Route]:
        """The routes to try, in order: each model, then a deployment's own fallbacks."""
        for model in models:
            if not caller.local and model.endswith(".gguf"):
                raise Fault(
                    404, f"'{model[:200]}' is a file.", "Deploy it under a name.", "model_not_found", param="model"
                )
        if len(models) == 1 and (known := self.router.known(models[0])) is not None and not known.fallbacks:
            return [known]
        routes: dict[str, Route] = {}
        first: Fault | None = (
            None  # a model whose key is missing does not stop the others; one that nobody has is a slip
        )
        for model in models:
            try:
                found = await asyncio.get_running_loop().run_in_executor(None, self.router.with_fallbacks, model)
            except Fault as fault:
                if fault.status == 404:
                    raise
                first = first or fault
                continue
            except ChapetaError as error:
                status = 400 if isinstance(error, BadInput) else 500
                first = first or Fault(status, error.message, error.remedy)
                continue
            for one in found:
                routes.setdefault(one.deployment + one.id, one)
        if first is not None and not routes:
            raise first
        return list(routes.values())

    async def _first_that_answers(
        self, routes: list[Route], record: Record, chat: Chat, fields: Fields, is_us: bool
    ) -> Reply | AnyStream:
        last: Fault | None = None
        for place, route in enumerate(routes):
            record.route = route
            record.most_attempts = 1 if place + 1 < len(routes) else retry.MOST_ATTEMPTS  # rather another model now
            record.request_id = ""
            try:
                await self._allow(route, record)
                return await self._ask(route, record, chat, fields, is_us)
            except Fault as fault:
                if not fault.provider:  # we refused it ourselves: another model does not change that
                    raise
                if last is not None:
                    fault.message = f"{fault.message} (Before that: {last.message})"
                last = fault
        assert last is not None
        raise last

    async def _ask(self, route: Route, record: Record, chat: Chat, fields: Fields, is_us: bool) -> Reply | AnyStream:
        """One route's answer. It is asked again if it refuses a field that we have set, not the caller."""
        file = "" if route.upstream else await self.embedded.file(route.model)
        while True:
            changed, labels = self._changes(route, fields, file)
            plan = None
            if chat.stream and not labels:
                asks = route.upstream is None or route.upstream.remote.usage_option
                plan = asks and not chat.wants_usage
                if plan:
                    changed["stream_options"] = {**bodies.options(fields), "include_usage": True}
            ours = fields if is_us else changed
            if route.id in self._dialects:
                self._dialects.adapt(route.id, fields, changed, ours)
            data = bodies.write(fields, changed)
            record.sent_bytes = len(data)
            record.room = chat.max_completion_tokens or chat.max_tokens or 0
            try:
                answered = await self._attempts.with_retries(route, record, "/chat/completions", data, plan)
            except Fault as fault:
                if self._dialects.learn(route.id, fault, ours):
                    continue
                raise
            if isinstance(answered, Stream):
                return answered
            if labels:
                answered.body = with_labels(answered.body, labels)
            if chat.stream:
                return Told(as_events(answered.body, chat.wants_usage), record, self._enter)
            self._enter(record)
            return answered

    def _changes(self, route: Route, fields: Fields, file: str) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What this route changes of the request, and the labels that its answer is to be made one of."""
        changed: dict[str, Any] = {"model": route.model}
        if "models" in fields:
            changed["models"] = None
        if route.candidate is None and route.upstream is not None and "chapeta" not in fields:
            return changed, ()
        more, labels = render(route, fields, file)
        return changed | more, labels

    async def _allow(self, route: Route, record: Record) -> None:
        """Holds the call to the budgets that it falls under. Raises Fault 402 or 429."""
        key = record.key
        if key is not None and self.gate is not None:
            self.gate.check(key, route.deployment or route.id, record.started_at)
        if self._purse is not None:
            self._purse.check()
        budgeted = self._purse is not None or (key is not None and key.budget is not None)
        record.budgeted = budgeted
        upstream = route.upstream
        if upstream is not None and not upstream.remote.reports_cost:
            record.price = await self._prices.of(route)
            if budgeted and record.price is None:
                remedy = "Run `chapeta models refresh`, or say it where you set the address: --usd-in, --usd-out."
                raise Fault(
                    402, f"The price of {route.id} is unknown, so no budget can hold it.", remedy, "price_unknown"
                )

    def _enter(self, record: Record) -> None:
        """The call is over: into the ledger, and off the budgets."""
        call, usd = record.call()
        self._ledger.write(call)
        if usd:
            self._charge(record, usd)
        elif usd is None and record.budgeted and record.sent:
            guessing = asyncio.get_running_loop().create_task(self._charge_guess(record))
            self._guesses.add(guessing)
            guessing.add_done_callback(self._guesses.discard)

    def _charge(self, record: Record, usd: float) -> None:
        if record.key is not None and self.gate is not None:
            self.gate.charge(record.key, usd)
        if self._purse is not None:
            self._purse.charge(usd)

    async def _charge_guess(self, record: Record) -> None:
        assert record.route is not None
        price = await self._prices.of(record.route)
        if price is not None:
            self._charge(record, record.guess_usd(price))
