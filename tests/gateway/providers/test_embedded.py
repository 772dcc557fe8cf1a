"""The embedded engine's child process: what its death does to callers, when it ends, what it shares, when it stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chapeta import deployments
from chapeta.engine.adapter import write_gguf_adapter
from chapeta.engine.gguf_header import read_header
from chapeta.types import Candidate, Decoding
from serving import Serving

MODEL = "smollm2-135m"
STORY = "Tell me a very long story about a lamp, a tent and a stove."
LONG = 1900  # tokens: some 15 s of work for a machine that has nothing else to do, minutes for one that has
MOST_WAIT_S = 60.0
SOON_S = 20.0  # for work that stops; what it was at would take a small machine longer, four callers at a time
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, models_home: Path, embedded_model: Path) -> Path:
    """A data directory with two deployments that have an adapter each."""
    folder = tmp_path_factory.mktemp("embedded") / "home"
    folder.mkdir()
    if not os.environ.get("CHAPETA_TEST_MODEL"):
        (folder / "models").symlink_to(models_home / "models")
    before = os.environ.get("CHAPETA_HOME")
    os.environ["CHAPETA_HOME"] = str(folder)
    try:
        for seed, name in enumerate(("first-desk", "second-desk")):
            adapter = _adapter(embedded_model, folder.parent / f"{name}.gguf", seed)
            decoding = Decoding(max_tokens=12)
            deployments.deploy(name, Candidate("tuned", str(embedded_model), decoding, adapter=str(adapter)))
    finally:
        if before is None:
            del os.environ["CHAPETA_HOME"]
        else:
            os.environ["CHAPETA_HOME"] = before
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Serving]:
    with Serving(folder) as started:
        assert started.chat(MODEL, max_tokens=1)[0] == 200
        yield started


def test_a_kill_in_mid_stream_reaches_the_caller_and_the_next_call_works(server: Serving) -> None:
    child = only_child(server)
    with streaming(server) as events:
        next(events)
        os.kill(child, signal.SIGKILL)
        rest = list(events)
    error = next(json.loads(event)["error"] for event in rest if '"error"' in event)
    assert "embedded engine has died (signal SIGKILL)" in error["message"]
    status, _, said = server.chat(MODEL, max_tokens=1)
    assert status == 200, said
    assert only_child(server) != child


def test_a_kill_in_mid_call_is_a_503_for_all_callers_and_the_next_calls_work(server: Serving) -> None:
    assert server.chat(MODEL, max_tokens=1)[0] == 200
    child = only_child(server)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(server.chat, MODEL, STORY, max_tokens=LONG, temperature=0) for _ in range(3)]
        wait_for(lambda: is_at_work(child))
        os.kill(child, signal.SIGKILL)
        for call in calls:
            status, _, said = call.result(MOST_WAIT_S)
            assert status == 503, said
            assert "embedded engine has died (signal SIGKILL)" in said["error"]["message"]
        assert server.get("/models")[0] == 200
        again = [pool.submit(server.chat, MODEL, max_tokens=2) for _ in range(3)]
        assert [call.result(MOST_WAIT_S)[0] for call in again] == [200] * 3
    assert only_child(server) != child, "one child is started, however many calls wait for it"
    assert server.process.poll() is None
    assert "Traceback" not in server.err


def test_a_child_that_died_between_calls_is_not_noticed(server: Serving) -> None:
    assert server.chat(MODEL, max_tokens=1)[0] == 200
    child = only_child(server)
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not is_running(child))
    status, _, said = server.chat(MODEL, max_tokens=1)
    assert status == 200, said


def test_adapters_of_one_base_share_one_child_and_one_loaded_model(server: Serving, embedded_model: Path) -> None:
    def ask(name: str) -> str:
        return text_of(server.chat(name, "Who wrote Hamlet?", max_tokens=8, temperature=0))

    names = [MODEL, "first-desk", "second-desk"]
    ask(MODEL)
    child = only_child(server)
    before = resident_bytes(child)
    alone = [ask(name) for name in names]
    assert len(set(alone)) == 3
    assert only_child(server) == child
    assert resident_bytes(child) - before < embedded_model.stat().st_size / 2, "the base is loaded once"
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(ask, names)) == alone, "adapters are not mixed up between calls at the same time"


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("more", [{}, {"top_p": 0.9}], ids=["plain", "sampled"])
def test_callers_that_go_away_stop_the_work(server: Serving, streamed: bool, more: dict[str, Any]) -> None:
    """As many as there are slots: if their work went on, the next caller would have to wait for its end.

    The call before them leaves a kept connection between the child and llama.cpp, which may be closed by then.
    """
    assert server.chat(MODEL, max_tokens=1)[0] == 200
    child = only_child(server)
    calls = [begin(server, stream=streamed, **more) for _ in range(4)]
    wait_for(lambda: is_at_work(child))
    for call in calls:
        call.close()
    gone_at = time.monotonic()
    assert server.chat(MODEL, max_tokens=1)[0] == 200
    wait_for(lambda: not is_at_work(child), gone_at + SOON_S - time.monotonic())
    assert only_child(server) == child


def test_the_child_ends_with_a_killed_server(folder: Path) -> None:
    with Serving(folder) as server, streaming(server) as events:
        next(events)
        child = only_child(server)
        server.kill()
        wait_for(lambda: not is_running(child))


def test_the_child_ends_with_a_stopped_server(server: Serving) -> None:
    """The last test: it stops the server that the others have used."""
    with streaming(server) as events:
        next(events)
        child = only_child(server)
        assert server.stop() in (0, 130)
        wait_for(lambda: not is_running(child))
        assert "Traceback" not in server.err


# What is asked


def begin(server: Serving, **options: Any) -> http.client.HTTPConnection:
    """Sends a question with a long answer, which is not waited for."""
    connection = server.connection()
    body = {"model": MODEL, "messages": [{"role": "user", "content": STORY}], "max_tokens": LONG, "temperature": 0}
    connection.request("POST", "/v1/chat/completions", json.dumps(body | options), {"content-type": "application/json"})
    return connection


@contextlib.contextmanager
def streaming(server: Serving) -> Iterator[Iterator[str]]:
    """The events of a long answer, from the first text on."""
    connection = begin(server, stream=True)
    try:
        response = connection.getresponse()
        assert response.status == 200
        yield (line.decode()[6:] for line in response if line.startswith(b"data: "))
    finally:
        connection.close()


def text_of(reply: tuple[int, dict[str, str], Any]) -> str:
    status, _, said = reply
    assert status == 200, said
    text: str = said["choices"][0]["message"]["content"]
    return text


def _adapter(base: Path, file: Path, seed: int) -> Path:
    """A LoRA adapter with matrices by chance, strong enough to change answers."""
    shapes = {tensor.name: tensor.shape for tensor in read_header(base).tensors}
    rows, columns = shapes["blk.0.ffn_up.weight"]
    chance = np.random.default_rng(seed)
    name = "base_model.model.model.layers.0.mlp.up_proj"
    state = {
        f"{name}.lora_A.weight": chance.normal(0, 0.1, (4, columns)).astype(np.float32),
        f"{name}.lora_B.weight": chance.normal(0, 0.1, (rows, 4)).astype(np.float32),
    }
    return write_gguf_adapter(state, 16, base, file)


# Processes


def only_child(server: Serving) -> int:
    """Process id of the server's one running child."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    found = [int(pid) for pid, parent, state in rows if int(parent) == server.process.pid and not state.startswith("Z")]
    assert len(found) == 1, found
    return found[0]


def is_running(pid: int) -> bool:
    """False for one that has ended with all its threads, whether or not somebody has asked how."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        return not ended or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    return False


def is_at_work(pid: int) -> bool:
    """Whether it computes: a third of a core or more, for half a second."""
    before, started = _processor_s(pid), time.monotonic()
    time.sleep(0.5)
    return _processor_s(pid) - before > (time.monotonic() - started) / 3


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_for(condition: Callable[[], bool], most_s: float = MOST_WAIT_S) -> None:
    deadline = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {most_s:.1f} s"
        time.sleep(0.01)
