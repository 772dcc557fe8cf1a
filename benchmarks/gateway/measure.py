"""One round with one peer: started anew, warmed up, put under each kind of load, ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peer import CHAT, Launch, Peer, Place
from processes import Child, before_exec, free_port

CALLERS, STREAM_CALLERS, PACED_CALLERS = 32, 16, 4
START_TIMEOUT_S, READY_TIMEOUT_S, PATIENCE_S = 120.0, 30.0, 120.0
SYSTEM = "You answer customers of a small shop for household goods: politely, briefly, and only from the facts given. "
QUESTION = "My order 48213 was due on Monday and has not come. Where is it? "
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Bench:
    """What stays the same for all peers of a run. A core of None: not pinned."""

    load: Path
    upstream_port: int
    installed: Path
    seconds: float
    warmup_s: float
    gateway_core: int | None
    load_core: int | None


@dataclass(frozen=True)
class Running:
    """A peer that answers, and how to call it."""

    launch: Launch
    port: int
    folder: Path
    child: Child | None
    cold_start_s: float | None


def measure(bench: Bench, peer: Peer | None, held_streams: int) -> dict[str, Any]:
    """The figures of one round; without a peer, of the upstream directly. `held_streams` 0: leave those out."""
    with running(bench, peer) as it:
        load(bench, it, "plain", CALLERS, bench.warmup_s)
        load(bench, it, "stream", STREAM_CALLERS, bench.warmup_s / 2)
        figures = {
            "cold_start_s": it.cold_start_s,
            "plain": with_cpu(bench, it, "plain", CALLERS),
            "single": load(bench, it, "plain", 1, bench.seconds),
            "burst": with_cpu(bench, it, "stream", STREAM_CALLERS),
            "paced": load(bench, it, "paced", PACED_CALLERS, bench.seconds),
        }
        if held_streams:
            figures["held"] = load(bench, it, "paced", held_streams, requests=held_streams)
        figures["peak_rss_mb"] = it.child.rss_mb("VmHWM") if it.child else None
        return figures


@contextlib.contextmanager
def running(bench: Bench, peer: Peer | None) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        if peer is None:
            write_requests(Path(folder), Launch([]))
            yield Running(Launch([]), bench.upstream_port, Path(folder), None, None)
            return
        place = Place(bench.installed, Path(folder))
        port = free_port()
        launch = peer.launch(place, port, bench.upstream_port)
        write_requests(place.run, launch)
        with Child(launch.command, environment(place) | launch.env, place.run / "log", bench.gateway_core) as child:
            if launch.port_file:
                child.wait_until(lambda: port_in(launch.port_file) > 0, START_TIMEOUT_S)
                port = port_in(launch.port_file)
            cold_start_s = child.wait_until(lambda: answers(launch, port, place.run), START_TIMEOUT_S)
            yield Running(launch, port, place.run, child, cold_start_s)


def load(bench: Bench, it: Running, body: str, callers: int, seconds: float = 0, requests: int = 0) -> dict[str, Any]:
    """One run of the load generator. Raises RuntimeError if no answer at all was right."""
    amount = ["--requests", str(requests)] if requests else ["--seconds", str(seconds)]
    command = [*load_command(bench, it, body, callers), *amount]
    done = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=before_exec(bench.load_core), check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    if not figures["requests"]:
        words = it.child.last_words() if it.child else ""
        raise RuntimeError(f"no right answer under load ({body}): {figures['last_error']}; its log: {words}")
    return figures


def load_command(bench: Bench, it: Running, body: str, callers: int) -> list[str]:
    return [
        str(bench.load), "--port", str(it.port), "--path", it.launch.path, "--headers", str(it.folder / "headers"),
        "--body", str(it.folder / f"{body}.json"), "--mode", "plain" if body == "plain" else "stream",
        "--callers", str(callers), "--patience", str(PATIENCE_S),
    ]  # fmt: skip


def with_cpu(bench: Bench, it: Running, body: str, callers: int) -> dict[str, Any]:
    """The same, with the CPU time that the peer's processes spent on each answer."""
    before_s = it.child.cpu_s() if it.child else 0.0
    figures = load(bench, it, body, callers, bench.seconds)
    if it.child:
        figures["cpu_us"] = (it.child.cpu_s() - before_s) / figures["requests"] * 1e6
    return figures


def answers(launch: Launch, port: int, folder: Path) -> bool:
    """Whether the peer gives a right answer to a real request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_TIMEOUT_S)
    headers = dict(header.split(": ", 1) for header in launch.headers) | {"Content-Type": "application/json"}
    try:
        connection.request("POST", launch.path, (folder / "plain.json").read_bytes(), headers)
        response = connection.getresponse()
        return response.status == 200 and b'"choices"' in response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def write_requests(folder: Path, launch: Launch) -> None:
    """The three requests, about 0.8 KB each. The mark [paced] tells the upstream to send an event every 5 ms."""
    (folder / "headers").write_text("".join(f"{header}\r\n" for header in launch.headers))
    for name, mark, more in (("plain", "", {}), ("stream", "", STREAMED), ("paced", "[paced] ", STREAMED)):
        messages = [{"role": "system", "content": SYSTEM * 4}, {"role": "user", "content": mark + QUESTION * 3}]
        request = {"model": launch.model, "messages": messages, "max_tokens": 300, "temperature": 0.2, **more}
        (folder / f"{name}.json").write_text(json.dumps(request))


def port_in(path: Path | None) -> int:
    return int(path.read_text() or 0) if path and path.exists() else 0


def environment(place: Place) -> dict[str, str]:
    """A bare environment: no proxies, tokens or Python settings of whoever runs this; a home that goes with the run."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(place.run), "TMPDIR": str(place.run), "LANG": "C.UTF-8"}


def upstream(binary: Path, core: int | None, folder: Path) -> tuple[Child, int]:
    """Starts the upstream. The caller ends it."""
    port = free_port()
    child = Child([str(binary), str(port)], {}, folder / "upstream.log", core)
    try:
        child.wait_until(lambda: answers_models(port), READY_TIMEOUT_S)
    except BaseException:
        child.stop()
        raise
    return child, port


def answers_models(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_TIMEOUT_S)
    try:
        connection.request("GET", CHAT.replace("chat/completions", "models"))
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
