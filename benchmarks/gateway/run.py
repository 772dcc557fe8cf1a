"""Measures our gateway and its peers side by side and writes a table.

    python benchmarks/gateway/run.py                          all peers, three rounds
    python benchmarks/gateway/run.py --only chapeta,smg       some of them
    python benchmarks/gateway/run.py --soak 1000000           our gateway's memory over a million requests

See README.md beside this file for what is measured and what is not.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateways import REPOSITORY, Chapeta, LiteLLM, Portkey, Smg, TensorZero
from measure import Bench, measure, upstream
from peer import Peer, Place
from proxies import Envoy, Nginx
from soak import soak
from table import markdown

PEERS: dict[str, Peer] = {
    "chapeta": Chapeta(),
    "smg": Smg(),
    "tensorzero": TensorZero(),
    "portkey": Portkey(),
    "litellm": LiteLLM("granian", master_key=False),
    "litellm-key": LiteLLM("granian", master_key=True),
    "nginx": Nginx(),
    "envoy": Envoy(),
}
HERE = Path(__file__).resolve().parent
GATEWAY_CORE, LOAD_CORE = 0, 1
BUSY = 0.7  # load average above which other work disturbs the figures


def main(options: argparse.Namespace) -> None:
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.default_int_handler)  # so that every `finally` runs and no child stays behind
    raise_open_files()
    options.work.mkdir(parents=True, exist_ok=True)
    pinned = options.pin and len(os.sched_getaffinity(0)) > 1
    gateway_core, load_core = (GATEWAY_CORE, LOAD_CORE) if pinned else (None, None)
    programs = {name: compiled(name, options.work) for name in ("upstream", "load")}
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        child, port = upstream(programs["upstream"], load_core, Path(folder))
        with child:
            rest = (options.seconds, options.warmup, gateway_core, load_core)
            bench = Bench(programs["load"], port, options.work, *rest)
            if options.soak:
                report(options, *soak(bench, options.only[0], PEERS[options.only[0]], options.soak))
            else:
                report(options, *compare(bench, options))


def compare(bench: Bench, options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Measures all peers round by round, each round beginning with another, and returns the table and all figures."""
    about = about_this_run(options, bench)
    results = [new_result("upstream directly", "direct", "", "")]
    peers: list[Peer | None] = [None]
    for key in options.only:
        peer = PEERS[key]
        result = new_result(peer.name, peer.kind, "", peer.setting)
        try:
            say(f"installing {peer.name}")
            result["version"] = peer.install(Place(bench.installed, bench.installed))
        except (RuntimeError, OSError) as error:
            result["error"] = f"not installed: {error}"
        results.append(result)
        peers.append(peer)
    for index in range(options.rounds):
        for turn in range(len(peers)):
            at = (index + turn) % len(peers)
            if not results[at]["error"]:
                one_round(bench, peers[at], results[at], f"round {index + 1}", options.streams if index == 0 else 0)
    return markdown(results, about, options.streams), {"about": about, "results": results}


def one_round(bench: Bench, peer: Peer | None, result: dict[str, Any], name: str, held_streams: int) -> None:
    """A peer that fails is left out of the rounds that follow; the others go on."""
    try:
        figures = measure(bench, peer, held_streams)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        result["error"] = f"{name}: {error}"
        say(f"{name}: {result['name']} failed: {error}")
        return
    result["rounds"].append(figures)
    rates = f"{figures['plain']['req_per_s']:,.0f} req/s, {figures['burst']['streams_per_s']:,.0f} streams/s"
    say(f"{name}: {result['name']}: {rates}")


def new_result(name: str, kind: str, version: str, setting: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "version": version, "setting": setting, "rounds": [], "error": None}


def report(options: argparse.Namespace, text: str, figures: dict[str, Any]) -> None:
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
        options.out.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        say(f"written: {options.out} and {options.out.with_suffix('.json')}")


def about_this_run(options: argparse.Namespace, bench: Bench) -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    pinned = f"gateway on core {GATEWAY_CORE}, upstream and load on core {LOAD_CORE}"
    busy = os.getloadavg()[0]
    squares_ms = min(timeit.repeat("sum(i * i for i in range(100_000))", number=1, repeat=20)) * 1e3
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "When": f"{datetime.date.today().isoformat()}, commit {commit or 'unknown'}",
        "Machine": f"{cpu}, {os.cpu_count()} cores; {pinned if bench.load_core is not None else 'not pinned'}",
        "Load average at the start": f"{busy:.1f}" + (" (busy: trust no figure here)" if busy > BUSY else ""),
        "Python": f"{platform.python_version()}, sums 100,000 squares in {squares_ms:.0f} ms",
        "Figures": f"medians over {options.rounds} round(s) of {options.seconds:g} s (lowest–highest), after a warm-up of "
        f"{options.warmup:g} s; each peer started anew for each round, as one worker",
    }


def compiled(name: str, work: Path) -> Path:
    source, program = HERE / f"{name}.c", work / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return program


def raise_open_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    work, pin = REPOSITORY / ".cache" / "gateway-bench", argparse.BooleanOptionalAction
    parser.add_argument("--work", type=Path, default=work, help="where the peers are installed and kept")
    parser.add_argument("--only", help=f"comma-separated, of: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure of a round")
    parser.add_argument("--warmup", type=float, default=3.0, help="seconds")
    parser.add_argument("--streams", type=int, default=500, help="paced streams at once, in the first round; 0: none")
    parser.add_argument("--pin", action=pin, default=True, help="gateway on one core, the rest on another")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="N requests against one gateway: its memory")
    parser.add_argument("--out", type=Path, help="the table as Markdown; all figures beside it as .json")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else (["chapeta"] if options.soak else list(PEERS))
    if unknown := [key for key in options.only if key not in PEERS]:
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    options.work = options.work.resolve()
    return options


if __name__ == "__main__":
    try:
        main(parsed(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped; everything it started has been ended.")
