"""The stand-in provider: a real HTTP/1.1 server on loopback, in a thread of its own.

    with Standin() as upstream:
        upstream.say("Paris")
        upstream.next_fault("429", retry_after_s=2)
        ...                                     # calls to upstream.url with upstream.key
        upstream.wait_for(lambda: upstream.requests[-1].disconnected)

By hand: `python -m tests.standin.server --port 8900`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from .catalogue import MODELS
from .errors import Problem
from .faults import FAULTS, Fault, play
from .pages import page
from .scene import Scene, problem_reply
from .state import Say, State, sent_key
from .wire import Call, Line, Record, read_request

KEY = f"sk-or-v1-{hashlib.sha256(b'stand-in').hexdigest()}"  # as long as a real one
BASES = {"openrouter": "/api/v1", "openai": "/v1"}
MOST_WAIT_S = 5.0
POLL_S = 0.005
Found = TypeVar("Found")


class Standin:
    """A provider that answers as OpenRouter (or, with `dialect="openai"`, as OpenAI) does, and fails when told to.

    key: the only key it takes, None to take any request. port 0 finds a free one. All methods may be called from any thread.
    """

    def __init__(
        self, key: str | None = KEY, dialect: str = "openrouter", port: int = 0, limit_usd: float | None = 100.0
    ) -> None:
        self.key = key
        self.dialect = dialect
        self.port = port
        self._state = State(dialect, key, limit_usd)
        self._records: list[Record] = []
        self._faults: deque[tuple[Fault | None, str]] = deque()
        self._lines: dict[Line, asyncio.Task[None]] = {}
        self._calls: set[Call] = set()
        self._connections = 0
        self._broken: list[BaseException] = []
        self._lock = threading.Lock()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="standin", daemon=True)

    def __enter__(self) -> Standin:
        # TCP said aloud: only then does asyncio turn Nagle's waiting off, which costs 40 ms an answer
        self._listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", self.port))
        self._listening.listen(2048)
        self.port = self._listening.getsockname()[1]
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._broken and error is None:
            raise AssertionError("The stand-in itself failed while it answered.") from self._broken[0]

    @property
    def url(self) -> str:
        """The base address, to which /chat/completions is added."""
        return f"http://127.0.0.1:{self.port}{BASES[self.dialect]}"

    @property
    def requests(self) -> tuple[Record, ...]:
        """All requests so far, in the order in which they came."""
        return tuple(self._records)

    @property
    def chats(self) -> tuple[Record, ...]:
        """The chat requests so far."""
        return tuple(record for record in self._records if record.path == "/chat/completions")

    @property
    def open_connections(self) -> int:
        """How many connections clients hold open now."""
        return len(self._lines)

    @property
    def connections_made(self) -> int:
        """How many connections clients have opened so far."""
        return self._connections

    @property
    def spent_usd(self) -> float:
        """What all answers so far have cost."""
        return float(self._state.spent_usd)

    def say(self, text: Say) -> None:
        """Answers this text from now on, or what a function makes of the request's body; None echoes the question again."""
        self._state.say = text

    def next_fault(self, name: str, times: int = 1, path: str = "", **options: Any) -> None:
        """The next `times` calls to a model (or requests to `path`, if given) get this fault; "" is a good answer."""
        fault = Fault(name, options) if name else None
        with self._lock:
            self._faults.extend([(fault, path)] * times)

    def faults(self, *names: str) -> None:
        """The next calls to a model get these faults, one each."""
        for name in names:
            self.next_fault(name)

    def clear_faults(self) -> None:
        """The requests that follow are answered as they should be."""
        with self._lock:
            self._faults.clear()

    def forget(self) -> None:
        """As if it had just been started: nothing heard, nothing to say, no faults, nobody connected."""
        self._in_loop(self._forget)

    def release(self) -> None:
        """Lets the calls go on that are stalled now (`record.stalled`)."""
        self._in_loop(self._release)

    def close_idle(self) -> int:
        """Closes kept connections on which no call is running, as providers do after a while. How many there were."""
        return self._in_loop(self._close_idle)

    def wait_for(self, condition: Callable[[], Found], timeout_s: float = MOST_WAIT_S) -> Found:
        """Waits until the condition is true, and returns its value. AssertionError after the time is up."""
        deadline = time.monotonic() + timeout_s
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"Not within {timeout_s} s. Requests so far: {self._records}"[:5000])
            time.sleep(POLL_S)
        return value

    def wait_for_chat(self, number: int = 1) -> Record:
        """Waits until so many chat requests have come; the last of them."""
        return self.wait_for(lambda: self.chats[number - 1 : number])[0]

    # in the server's thread

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await self._loop.create_server(self._connected, sock=self._listening)
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = tuple(self._lines.values())
        for line in tuple(self._lines):
            line.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connected(self) -> Line:
        self._connections += 1
        return Line(self._begin, self._connections)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = writer.transport.get_protocol()
        assert isinstance(line, Line)
        self._lines[line] = task = self._loop.create_task(self._converse(line, reader, writer))
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a mistake of ours must fail the test, not look like a provider's
            self._broken.append(error)

    async def _converse(self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests one after another until somebody closes it."""
        try:
            while record := await read_request(reader, writer, BASES[self.dialect]):
                call = Call(line, writer, record)
                await self._answer(call, record)
                line.busy = False
                if not call.keep:
                    break
        except ValueError as error:
            await self._refuse(line, writer, str(error))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            del self._lines[line]
            writer.close()

    async def _answer(self, call: Call, record: Record) -> None:
        self._records.append(record)
        self._calls.add(call)
        try:
            found = page(self._state, record)
            fault = self._due(record) or found.fault
            if fault is None:
                await call.play(found.reply)
            else:
                record.fault = fault.name
                await play(Scene(call, found.reply, found.whole, self.dialect, sent_key(record)), fault)
            record.finished_at = time.monotonic()
        except ConnectionError:
            record.disconnected_at = call.line.gone_at or time.monotonic()
            raise
        finally:
            self._calls.discard(call)

    def _due(self, record: Record) -> Fault | None:
        with self._lock:
            for number, (fault, path) in enumerate(self._faults):
                if record.path == path or (not path and record.method == "POST"):
                    del self._faults[number]
                    return fault
        return None

    async def _refuse(self, line: Line, writer: asyncio.StreamWriter, message: str) -> None:
        record = Record("", "", {}, {"connection": "close"}, b"", line.number)
        with contextlib.suppress(ConnectionError):
            await Call(line, writer, record).play(problem_reply(Problem(400, message), self.dialect))

    def _forget(self) -> None:
        for line in tuple(self._lines):
            line.transport.abort()
        self._records.clear()
        self.clear_faults()
        self._state = State(self.dialect, self.key, self._state.limit_usd)

    def _release(self) -> None:
        for call in self._calls:
            if call.record.stalled:
                call.released.set()

    def _close_idle(self) -> int:
        idle = [line for line in self._lines if not line.busy]
        for line in idle:
            line.transport.close()
        return len(idle)

    def _in_loop(self, action: Callable[[], Found]) -> Found:
        async def act() -> Found:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(MOST_WAIT_S)


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """An address at which connections are refused, for as long as the context lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, so that nobody else gets the port; never listening
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


def main() -> None:
    words = argparse.ArgumentParser(description="A provider to try things against.")
    words.add_argument("--port", type=int, default=0)
    words.add_argument("--dialect", choices=sorted(BASES), default="openrouter")
    words.add_argument("--key", default=KEY)
    given = words.parse_args()
    with Standin(given.key, given.dialect, given.port) as upstream:
        print(upstream.url, flush=True)
        print(f"key     {upstream.key}\nmodels  {' '.join(model['id'] for model in MODELS)}")
        print(f"faults  as model fault/NAME?option=value: {' '.join(FAULTS)} and fault/STATUS", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
