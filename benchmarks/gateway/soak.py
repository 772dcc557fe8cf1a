"""Whether one gateway's memory stays flat over many requests: resident memory each second, beside the requests answered."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from measure import CALLERS, Bench, load, load_command, running
from peer import Peer, Place
from processes import before_exec
from table import number

ROWS = 20


def soak(bench: Bench, key: str, peer: Peer, requests: int) -> tuple[str, dict[str, Any]]:
    """Returns the table and all samples. The load generator says each second how many answers it has had."""
    version = peer.install(Place(bench.installed, bench.installed))
    samples: list[dict[str, float]] = []
    with running(bench, peer) as it:
        if it.child is None:
            raise RuntimeError("there is no gateway to watch")
        load(bench, it, "plain", CALLERS, bench.warmup_s)
        amount = ["--requests", str(requests), "--progress", "1"]
        command = [*load_command(bench, it, "plain", CALLERS), *amount]
        started_s = time.perf_counter()
        samples.append({"requests": 0, "seconds": 0.0, "rss_mb": it.child.rss_mb()})
        generator = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before_exec(bench.load_core)
        )
        try:
            for line in generator.stderr or ():
                seconds = time.perf_counter() - started_s
                samples.append({"requests": int(line), "seconds": seconds, "rss_mb": it.child.rss_mb()})
                print(f"{int(line):,} requests, {samples[-1]['rss_mb']:.1f} MB", file=sys.stderr, flush=True)
            figures = json.loads(generator.stdout.read() if generator.stdout else "{}")
        finally:
            generator.kill()
            generator.wait()
        samples.append({"requests": figures["requests"], "seconds": figures["seconds"], "rss_mb": it.child.rss_mb()})
    everything = {"peer": key, "version": version, "samples": samples, "load": figures}
    return markdown(peer.name, version, samples, figures), everything


def markdown(name: str, version: str, samples: list[dict[str, float]], figures: dict[str, Any]) -> str:
    step = max(1, len(samples) // ROWS)
    shown = samples[:-1:step] + samples[-1:]
    rows = [f"| {one['requests']:,.0f} | {one['seconds']:,.0f} | {one['rss_mb']:.1f} |" for one in shown]
    tenth = next(one for one in samples if one["requests"] >= samples[-1]["requests"] / 10)
    growth = samples[-1]["rss_mb"] - tenth["rss_mb"]
    highest = max(one["rss_mb"] for one in samples)
    head = f"# Memory of {name} {version} over {figures['requests']:,} requests"
    summary = (
        f"{number(figures['req_per_s'])} req/s at {CALLERS} callers, {figures['errors']} errors. From the first tenth to "
        f"the end the memory changed by {growth:+.1f} MB; the highest was {highest:.1f} MB."
    )
    return (
        "\n\n".join([head, summary, "\n".join(["| requests | seconds | memory MB |", "|---:|---:|---:|", *rows])])
        + "\n"
    )
