"""How the tests call the server and look behind it: streams event by event, many callers at once, the ledger's rows."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from chapeta.cli.main import main
from serving import Serving, point
from standin.server import KEY, Standin
from standin.spec import read_events
from standin.wire import Record

Json = dict[str, Any]
Found = TypeVar("Found")

GPT = "openrouter/openai/gpt-4.1-mini"
CLAUDE = "openrouter/anthropic/claude-sonnet-4.5"
SONAR = "openrouter/perplexity/sonar"  # costs half a cent a call, and little a token
OPENAI_KEY = "sk-proj-" + "Stand1nF0rOpenAI" * 4
TOGETHER_KEY = "tgp_v1_" + "St4ndIn" * 6
MINE_USD = {"usd_per_mtok_input": 1.0, "usd_per_mtok_output": 2.0}
MOST_WAIT_S = 15.0  # the machine may be busy with other tests


class Upstream:
    """A stand-in as one test sees it: no faults left over, and only the requests that came since the test began."""

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        standin.clear_faults()
        standin.release()
        standin.say(None)
        self._before = len(standin.requests)

    @property
    def requests(self) -> tuple[Record, ...]:
        return self.standin.requests[self._before :]

    @property
    def chats(self) -> tuple[Record, ...]:
        return tuple(record for record in self.requests if record.path == "/chat/completions")

    @property
    def last(self) -> Json:
        """The body of the last chat request."""
        body = self.chats[-1].json
        assert body is not None
        return body

    def wait_for_chat(self, number: int = 1) -> Record:
        return wait_for(lambda: self.chats[number - 1 : number])[0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.standin, name)


def wait_for(condition: Callable[[], Found | None], timeout_s: float = MOST_WAIT_S) -> Found:
    """Waits until the condition is true, and returns its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.01)
    return value


def checked(server: Serving) -> Iterator[Serving]:
    """For fixtures: after the test the server still runs, and has shown no traceback."""
    before = len(server.err)
    yield server
    said = server.err[before:]
    assert server.process.poll() is None, said
    assert "Traceback" not in said, said


# Calls


def body_of(model: str, text: str = "one two three", **more: Any) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def text_of(answer: Json) -> str:
    """The text of a whole answer."""
    found = answer["choices"][0]["message"]["content"]
    assert isinstance(found, str)
    return found


def chunks_of(stream: str) -> list[Json]:
    """The JSON of all events of a stream, which has to end with [DONE]."""
    *events, last = read_events(stream.encode())
    assert last == "[DONE]", f"the stream ends with {last!r}"
    return [json.loads(event) for event in events]


def streamed_text(chunks: Sequence[Json]) -> str:
    """The text that a stream's chunks make."""
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def error_of(stream: str) -> Json:
    """The error in a stream, which has to come with finish_reason "error" (but for a stream that has not begun)."""
    found = [chunk for chunk in chunks_of(stream) if "error" in chunk]
    assert len(found) == 1, f"{len(found)} errors in {stream}"
    assert [choice["finish_reason"] for choice in found[0].get("choices", ())] in ([], ["error"])
    error = found[0]["error"]
    assert isinstance(error, dict)
    return error


class Stream:
    """A streamed call, read event by event as it comes."""

    def __init__(self, server: Serving, body: Json, **headers: str) -> None:
        self.connection = server.connection()
        self.connection.timeout = MOST_WAIT_S
        data = json.dumps({**body, "stream": True}).encode()
        self.connection.request("POST", "/v1/chat/completions", data, {"content-type": "application/json", **headers})
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()

    def text(self) -> str:
        """What has not been read yet."""
        return self.response.read().decode()

    def event(self) -> str:
        """The next event's data; "" at the end."""
        while line := self.response.readline():
            if line.startswith(b"data:"):
                return line[5:].strip().decode()
        return ""

    def events(self) -> Iterator[str]:
        while data := self.event():
            yield data

    def hang_up(self) -> None:
        """Goes away, as a caller that is stopped does."""
        with contextlib.suppress(OSError, AttributeError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.response.close()
        self.connection.close()


def raw_call(server: Serving, data: bytes, timeout_s: float = MOST_WAIT_S) -> tuple[int, dict[str, str], bytes]:
    """Sends bytes as they are and reads one answer: status, headers with lower-case names, body."""
    with dial(server, timeout_s) as line:
        with contextlib.suppress(OSError):  # the server may answer, and close, before it has read all
            line.sendall(data)
        return read_answer(line)


def dial(server: Serving, timeout_s: float = MOST_WAIT_S) -> socket.socket:
    place = urlsplit(server.url)
    return socket.create_connection((place.hostname, place.port), timeout=timeout_s)


def read_answer(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    response = http.client.HTTPResponse(line)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return response.status, headers, response.read()


def at_once(server: Serving, bodies: Sequence[Json], in_flight: int = 0, **headers: str) -> list[tuple[int, bytes]]:
    """Many calls at the same time, at most `in_flight` (0: all): status and body of each, chunks put together."""
    gate = asyncio.Semaphore(in_flight or len(bodies))
    place = urlsplit(server.url)

    async def one(body: Json) -> tuple[int, bytes]:
        data = json.dumps(body).encode()
        lines = ["POST /v1/chat/completions HTTP/1.1", f"host: {place.netloc}", "content-type: application/json"]
        lines += [f"content-length: {len(data)}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        async with gate:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
            answer = await asyncio.wait_for(reader.read(), 60)
            writer.close()
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), _joined(rest) if b"chunked" in head else rest

    async def all_of_them() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*map(one, bodies))

    return asyncio.run(all_of_them())


def _joined(chunked: bytes) -> bytes:
    found, rest = b"", chunked
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        assert len(rest) >= length, "the answer was cut"
        found, rest = found + rest[:length], rest[length + 2 :]
    return found


class Canned:
    """A provider that answers every connection with the same bytes, whatever is asked. seen: the heads of the requests."""

    def __init__(self) -> None:
        self.answer = b""
        self.seen: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def says(self, status: int, body: bytes, *headers: bytes) -> None:
        """From now on this answer, with this status; headers: whole lines."""
        lines = [b"HTTP/1.1 %d Said" % status, b"content-length: %d" % len(body), *headers]
        if not any(line.startswith(b"content-type") for line in headers):
            lines.append(b"content-type: application/json")
        self.answer = b"\r\n".join(lines) + b"\r\n\r\n" + body
        self.seen.clear()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            with line, contextlib.suppress(OSError):
                self._converse(line)

    def _converse(self, line: socket.socket) -> None:
        line.settimeout(10)
        head = b""
        while b"\r\n\r\n" not in head and (data := line.recv(65536)):
            head += data
        self.seen.append(head)
        line.sendall(self.answer)
        line.shutdown(socket.SHUT_WR)
        while line.recv(65536):
            pass


@dataclass(frozen=True)
class Providers:
    """The three stand-ins: two with keys, each of its own, and one without; and an odd one."""

    router: Standin
    openai: Standin
    mine: Standin
    canned: Canned

    @property
    def variables(self) -> dict[str, str]:
        return {"OPENROUTER_API_KEY": KEY, "OPENAI_API_KEY": OPENAI_KEY, "TOGETHER_API_KEY": TOGETHER_KEY}

    def point(self, home: Path) -> None:
        """Makes them the providers of a data directory."""
        point(home, "openrouter", self.router.url)
        point(home, "openai", self.openai.url)
        point(home, "together", self.mine.url)
        point(home, "mine", self.mine.url, needs_key=False)
        point(home, "canned", self.canned.url, needs_key=False)
        point(home, "priced", self.mine.url, needs_key=False, **MINE_USD)


# Behind the server


def rows(home: Path, **fields: Any) -> list[Json]:
    """The ledger's rows in which these columns have these values, the oldest first."""
    file = home / "chapeta.sqlite"
    if not file.exists():
        return []
    where = " AND ".join(f"{name} = ?" for name in fields) or "1 = 1"
    with contextlib.closing(sqlite3.connect(file, timeout=10)) as database:
        database.row_factory = sqlite3.Row
        try:
            found = database.execute(f"SELECT * FROM calls WHERE {where} ORDER BY started_at", (*fields.values(),))
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        return [dict(row) for row in found]


def ledger_of(home: Path, ids: Sequence[str]) -> list[Json]:
    """The rows of these calls, in this order; all together, as rows come once in half a second."""
    wait_for(lambda: {line["id"] for line in rows(home)} >= set(ids))
    found = {line["id"]: line for line in rows(home)}
    return [found[id] for id in ids]


def row(home: Path, **fields: Any) -> Json:
    """The one row of the ledger in which these columns have these values; it comes within a second or so."""
    found = wait_for(lambda: rows(home, **fields))
    assert len(found) == 1, found
    return found[0]


def rss_mb(server: Serving) -> float:
    """Resident memory of the server's process."""
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    kb = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS")).split()[1]
    return int(kb) / 1024


def children(pid: int) -> list[int]:
    """Processes below a process, all the way down."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            found += [child, *children(child)]
    return found


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


@contextlib.contextmanager
def inside(home: Path) -> Iterator[None]:
    """This process with that data directory, as the commands in it would have it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAPETA_HOME", str(home))
        yield


def command(home: Path, *words: str) -> tuple[int, str, str]:
    """A command line: exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with inside(home), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as end:  # argparse's way out
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def issue(home: Path, name: str, *options: str) -> str:
    """A new access key, from `chapeta keys issue`."""
    code, out, err = command(home, "keys", "issue", name, *options, "--json")
    assert code == 0, err
    token = json.loads(out)["token"]
    assert isinstance(token, str)
    return token


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def usage(home: Path, by: str = "model") -> Json:
    """What `chapeta usage --json` says."""
    code, out, err = command(home, "usage", "--by", by, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, **variables}
