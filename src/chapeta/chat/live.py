"""Answers while they come: asked for at the core, kept in the store twice a second, heard by whatever pages are open.

An answer's life has nothing to do with a page's: a page that is closed or reloaded changes nothing, one that comes back
reads on from any place. Stopping an answer stops the provider. After a kill at most the last half second is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from chapeta.errors import ChapetaError, Missing
from chapeta.gateway.attempt import Reply
from chapeta.gateway.core import AnyStream, Caller, Core
from chapeta.gateway.fault import Fault
from chapeta.gateway.http import sse
from chapeta.gateway.record import Record
from chapeta.types import Json

if TYPE_CHECKING:
    from chapeta.chat.store import Chats
    from chapeta.chat.types import Status

SAVE_EVERY_S = 0.5
TRY_AGAIN_S = 1.0  # to keep the end of an answer, where the database refuses
LENGTH: Json = {
    "code": "length",
    "message": "The answer reached its limit of tokens.",
    "remedy": "Ask it to go on, or give it more room.",
}


class Running:
    """One answer that is coming, or has come. Belongs to the event loop."""

    def __init__(self, turn_id: str, chat_id: str, spent_usd: float | None = 0.0) -> None:
        self.turn_id = turn_id
        self.chat_id = chat_id
        self.spent_usd = spent_usd
        self.status: Status = "streaming"
        self.error: Json | None = None
        self.record: Record | None = None
        self.ended = False  # nothing more will come; it is about to be kept
        self.done = asyncio.Event()
        self._pieces: list[str] = []
        self._thoughts: list[str] = []

    def since(self, place: int) -> tuple[str, int]:
        """What has come after a place, and the new place. 0 is the beginning."""
        return "".join(self._pieces[place:]), len(self._pieces)

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def reasoning(self) -> str:
        return "".join(self._thoughts)

    def take(self, chunks: Iterable[Json]) -> None:
        """The chunks of a stream, as OpenAI and OpenRouter send them."""
        for chunk in chunks:
            if isinstance(chunk.get("error"), dict):
                self.status, self.error = "failed", _told(chunk["error"])
            self._pieces.extend(text for text in sse.texts(chunk) if text)
            self._thoughts.extend(_thoughts(chunk))
            if sse.finish_of(chunk) == "length":
                self.error = LENGTH

    def fail(self, error: Json) -> None:
        self.status, self.error = "failed", error


class Live:
    """The answers that are coming. Belongs to the event loop; the store is touched in threads."""

    def __init__(self, core: Core, chats: Chats) -> None:
        self._core = core
        self._chats = chats
        self._running: dict[str, tuple[Running, asyncio.Task[None]]] = {}
        self._changes: Counter[str] = Counter()
        self._closing = False

    def changes(self, chat_id: str) -> int:
        """Moves on whenever a chat has changed, so that every page that shows it can look."""
        return self._changes[chat_id]

    def changed(self, chat_id: str) -> None:
        self._changes[chat_id] += 1

    def begin(self, turn_id: str, chat_id: str, body: Json, spent_usd: float | None = 0.0) -> Running:
        """Asks for the answer that a turn of the store, which says "streaming", waits for. `body`: a chat completion.

        spent_usd: what it has cost before it begins, as to choose its skill; None where nobody says.
        """
        running = Running(turn_id, chat_id, spent_usd)
        task = asyncio.create_task(self._answer(running, body))
        self._running[turn_id] = (running, task)
        return running

    def of(self, turn_id: str) -> Running | None:
        """The answer, while it is coming."""
        found = self._running.get(turn_id)
        return found[0] if found else None

    async def stop(self, turn_id: str) -> None:
        """Ends an answer, and the provider's work; what has come stays."""
        found = self._running.get(turn_id)
        if found is not None:
            running, task = found
            if running.status == "streaming":
                running.status = "stopped"
            if not running.ended:
                task.cancel()
            await running.done.wait()

    async def close(self) -> None:
        """Ends all answers: they were cut."""
        self._closing = True
        for running, task in list(self._running.values()):
            if running.status == "streaming":
                running.status = "cut"
            if not running.ended:
                task.cancel()
        await asyncio.gather(*(running.done.wait() for running, _ in list(self._running.values())))

    async def _answer(self, running: Running, body: Json) -> None:
        saving = asyncio.create_task(self._save_now_and_then(running))
        try:
            await self._ask(running, body)
        except asyncio.CancelledError:
            pass  # by `stop` or `close`, which have said so
        except Exception:  # a bug of ours: the chat says so, and goes on
            logging.getLogger(__name__).exception("answer %s", running.turn_id)
            running.fail({"message": "Chapeta failed at this answer.", "remedy": "Please report it."})
        finally:
            running.ended = True
            if running.status == "streaming":
                running.status = "done"
            saving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await saving
            try:
                await self._keep(running)
            finally:
                self._running.pop(running.turn_id, None)
                self.changed(running.chat_id)
                running.done.set()

    async def _ask(self, running: Running, body: Json) -> None:
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        try:
            stream = await self._core.chat(msgspec.json.encode(asked), Caller(local=True, is_us=True))
            if isinstance(stream, Reply):  # a provider that does not stream: its whole answer is one chunk
                running.record = stream.record
                running.take(_as_chunks(stream.body))
                return
            await self._read(running, stream)
        except Fault as fault:
            running.fail(told(fault))
        except ChapetaError as error:
            running.fail({"message": error.message, "remedy": error.remedy})

    async def _read(self, running: Running, stream: AnyStream) -> None:
        running.record = stream.record
        try:
            while block := await stream.next():
                running.take(sse.decoded(block))
        finally:
            stream.close()

    async def _save_now_and_then(self, running: Running) -> None:
        saved = 0
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            place = running.since(saved)[1]
            if place != saved:
                saved = place
                with contextlib.suppress(ChapetaError):  # a locked database: the next time, or the end, says so
                    await asyncio.to_thread(self._chats.update, running.turn_id, text=running.text)

    async def _keep(self, running: Running) -> None:
        """Saves the end of an answer: as soon as the database lets it; a program that ends does not wait for that."""
        while not await self._save(running) and not self._closing:
            await asyncio.sleep(TRY_AGAIN_S)

    async def _save(self, running: Running) -> bool:
        """The end of an answer, with what it took; False where the database refuses, as one that is locked or full."""
        call, usd = running.record.call() if running.record is not None else (None, None)
        usd = usd + running.spent_usd if usd is not None and running.spent_usd is not None else None
        try:
            await asyncio.to_thread(
                self._chats.update, running.turn_id, text=running.text, reasoning=running.reasoning,
                status=running.status, error=running.error,
                call_id=call.id if call else "", tokens_in=call.tokens_in if call else None,
                tokens_out=call.tokens_out if call else None, tokens_cached=call.tokens_cached if call else None,
                usd=usd, latency_ms=call.latency_ms if call else None,
                first_token_ms=call.first_token_ms if call else None,
            )  # fmt: skip
        except Missing:  # the turn is gone: there is no place to keep it, now or later
            return True
        except ChapetaError as error:
            logging.getLogger(__name__).warning("an answer could not be kept: %s", error)
            return False
        return True


def told(fault: Fault) -> Json:
    """A refusal as a turn keeps it."""
    found: Json = {"message": fault.message, "remedy": fault.remedy, "status": fault.status, "code": fault.code}
    found |= {"provider": fault.provider, "raw": fault.raw, "request_id": fault.request_id}
    return {name: value for name, value in found.items() if value}


def _told(error: Json) -> Json:
    """An error in mid-stream, in the shape that OpenRouter and our own gateway give it."""
    found: Json = {"message": str(error.get("message", "The provider broke off.")), "status": error.get("code")}
    metadata = error.get("metadata")
    if isinstance(metadata, dict):
        found |= {"raw": str(metadata.get("raw", "")), "provider": str(metadata.get("provider_name", ""))}
    found["remedy"] = str(error.get("remedy", "")) or "Ask again, or choose another model."
    return {name: value for name, value in found.items() if value}


def _thoughts(chunk: Json) -> list[str]:
    """Reasoning texts: OpenRouter's `reasoning`, `reasoning_content` of DeepSeek, vLLM and others."""
    choices = chunk.get("choices")
    deltas = [c.get("delta") for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
    found = [d.get("reasoning") or d.get("reasoning_content") for d in deltas if isinstance(d, dict)]
    return [text for text in found if isinstance(text, str)]


def _as_chunks(body: bytes) -> list[Json]:
    from chapeta.gateway.closed import as_events

    return sse.decoded(as_events(body, with_usage=True))
