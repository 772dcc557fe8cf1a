"""`chapeta serve` as a process: how it starts, refuses to start, says where it is, and ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from command import COMMAND, chapeta

from serving import Serving, point
from standin.server import KEY, Standin

GPT = "openrouter/openai/gpt-4.1-mini"
FEW_SECONDS = 7.0  # on a busy machine


@pytest.fixture
def upstream(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    with Standin() as started:
        point(home, "openrouter", started.url)
        yield started


def is_one_line(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("chapeta: "), done.stderr
    for part in said:
        assert part in done.stderr


def test_a_port_in_use_is_one_line(home: Path) -> None:
    with Serving(home) as server:
        port = str(urlsplit(server.url).port)
        is_one_line(chapeta("serve", "--port", port), 2, port, "--port")
        assert server.get("/models")[0] == 200, "the first server is not disturbed"
        server.stop()
        assert server.err == ""
    with Serving(home, "--port", port) as again:
        assert urlsplit(again.url).port == int(port), "free again at once"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        is_one_line(chapeta("serve", "--port", port, "--json"), 2, port)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "99999"), "99999"),
        (("--port", "-1"), "-1"),
        (("--port", "http"), "http"),
        (("--port", "0", "--host", "no-such-host.invalid"), "no-such-host.invalid"),
        (("--port", "0", "--host", "203.0.113.7"), "203.0.113.7"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(home: Path, words: tuple[str, ...], said: str) -> None:
    """203.0.113.7 is nobody's address."""
    done = chapeta("serve", *words, timeout_s=30)
    is_one_line(done, 2, said)


def test_for_others_it_does_not_start_without_an_access_key(home: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        starts = [
            pool.submit(chapeta, "serve", "--port", "0", "--host", host, timeout_s=30) for host in ("0.0.0.0", "::", "")
        ]
        for start in starts:
            is_one_line(start.result(), 2, "chapeta keys issue")


def test_it_says_its_address_and_ends_with_ctrl_c(upstream: Standin, home: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        text=True, env=dict(os.environ),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:") and "/v1" in line and "Ctrl-C" in line
        place = urlsplit(line.split()[0])
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        connection.request("GET", f"{place.path}/models")
        response = connection.getresponse()
        assert response.status == 200 and response.read()
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - started < FEW_SECONDS, "a caller that keeps its connection open does not hold it up"
        connection.close()
    finally:
        process.kill()
    assert process.returncode in (0, 130)
    assert (out, err) == ("", "")


def test_localhost_by_name_needs_no_key(home: Path) -> None:
    with Serving(home, "--host", "localhost") as server:
        assert server.get("/models")[0] == 200


def test_it_ends_soon_while_calls_are_in_flight_and_the_ledger_has_them(upstream: Standin, home: Path) -> None:
    """By SIGTERM, as a service is stopped; tests/gateway/providers/test_embedded.py stops a busy server with Ctrl-C."""
    with Serving(home) as server, ThreadPoolExecutor(1) as pool:
        assert server.chat(GPT, "one two three")[0] == 200
        upstream.next_fault("stall")
        upstream.next_fault("stall-mid", after=2)
        whole = pool.submit(server.chat, GPT, "never answered")
        upstream.wait_for_chat(2)
        connection = server.connection()
        body = {"model": GPT, "messages": [{"role": "user", "content": "one two three"}], "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        assert b"one" in response.readline()
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(30)
        took_s = time.monotonic() - started
        rest = b"".join(iter(lambda: response.read1(1 << 20), b""))  # a read1 stays within one chunk
        connection.close()
        told = _outcome(whole)
    said = server.err
    assert code in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    assert "Traceback" not in said and KEY not in said
    assert took_s < FEW_SECONDS
    assert b'"error"' in rest, "a stream that breaks off says so"
    assert told in ("refused", "broken off")
    total = json.loads(chapeta("usage", "--json").stdout)["total"]
    assert total["calls"] == 3
    assert total["cancelled"] + total["errors"] == 2
    upstream.wait_for(lambda: upstream.open_connections == 0)


def _outcome(whole: object) -> str:
    """What became of a call that the server's end interrupted: an answer of OpenAI's shape, or a broken connection."""
    try:
        status, _, said = whole.result(30)  # type: ignore[attr-defined]
    except (OSError, http.client.HTTPException):
        return "broken off"
    assert status >= 500 and said["error"]["message"], said
    return "refused"


def test_keys_in_wrong_places_are_not_said_again(home: Path) -> None:
    done = chapeta("serve", "--port", KEY)
    assert done.returncode == 2
    assert KEY[9:25] not in done.stdout + done.stderr
