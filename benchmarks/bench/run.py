"""Lets ours and the others answer the same rows, round by round, and writes a table.

    python benchmarks/bench/run.py --data BANKING77 --out FOLDER                both parts, three rounds
    python benchmarks/bench/run.py --data BANKING77 --out FOLDER --only remote  one of them

BANKING77 is a folder with `train.csv` and `test.csv`. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prepare import prepare
from table import markdown

from chapeta import config
from chapeta.engine import weights

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
LATENCY_MS = 300
Figures = dict[str, Any]


def main(options: argparse.Namespace) -> None:
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    local: dict[str, list[Figures]] = {}
    remote: dict[str, list[Figures]] = {}
    ideal_s = max(0.0, options.calls - options.per_second) / options.per_second + LATENCY_MS / 1000
    about = about_this_run(options, ideal_s)
    with tempfile.TemporaryDirectory(prefix="bench-bench-") as folder:
        work = Path(folder)
        if "remote" in options.only:
            about["The provider alone"] = capacity(options)
        if "local" in options.only:
            prepare_local(options, work)
        for number in range(1, options.rounds + 1):
            if "local" in options.only:
                one_round(local_contestants(options, work), local, number)
                compare(local)
            if "remote" in options.only:
                one_round(remote_contestants(options), remote, number)
            text = markdown(local, remote, about, ideal_s)
            (out / "table.md").write_text(text, encoding="utf-8")
            figures = {"about": about, "ideal_s": ideal_s, "local": local, "remote": remote}
            (out / "table.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print((out / "table.md").read_text(encoding="utf-8"))


def one_round(contestants: dict[str, Callable[[], Figures]], kept: dict[str, list[Figures]], number: int) -> None:
    """Each once, each round beginning with another."""
    names = list(contestants)
    turn = number % len(names)
    for name in names:
        kept.setdefault(name, [])
    for name in names[turn:] + names[:turn]:
        figures = contestants[name]()
        kept[name].append(figures)
        print(f"round {number}: {name}: {figures['seconds']:.1f} s", file=sys.stderr, flush=True)


def prepare_local(options: argparse.Namespace, work: Path) -> None:
    """The tasks: all rows, and the few of them that are answered row by row; a data directory with the model alone."""
    for name, rows in (("task", options.rows), ("few", options.naive_rows)):
        prepare(
            options.data,
            work / f"{name}.json",
            options.model,
            options.rows,
            options.candidates,
            options.skill_tokens,
            0,
        )
        if rows < options.rows:
            task = json.loads((work / f"{name}.json").read_text(encoding="utf-8"))
            task["rows"] = task["rows"][:rows]
            for candidate in task["candidates"]:
                candidate["prompts"] = candidate["prompts"][:rows]
            (work / f"{name}.json").write_text(json.dumps(task), encoding="utf-8")
    if options.model in weights.MODELS:
        shutil.copytree(config.models_dir() / options.model, work / "home" / "models" / options.model)


def local_contestants(options: argparse.Namespace, work: Path) -> dict[str, Callable[[], Figures]]:
    answers, few = options.rows * options.candidates, options.naive_rows * options.candidates
    batched = ["batched", str(work / "task.json"), "--parallel", str(options.parallel)]
    return {
        "chapeta": lambda: (
            ran("ours.py", [str(work / "task.json")], {"CHAPETA_HOME": str(work / "home")}) | {"answers": answers}
        ),
        "llama.cpp batched": lambda: ran("peers.py", batched) | {"answers": answers},
        "row by row": lambda: ran("peers.py", ["naive", str(work / "few.json")]) | {"answers": few},
    }


def compare(rounds: dict[str, list[Figures]]) -> None:
    """How many of the last round's answers are not those of llama.cpp's own batches."""
    wanted = rounds["llama.cpp batched"][-1]["said"]
    for found in rounds.values():
        said = found[-1]["said"]
        pairs = [pair for a, b in zip(said, wanted, strict=True) for pair in zip(a, b, strict=False)]
        found[-1] |= {"differ": sum(a != b for a, b in pairs), "compared": len(pairs)}


def remote_contestants(options: argparse.Namespace) -> dict[str, Callable[[], Figures]]:
    rate = options.per_second
    return {
        "chapeta": lambda: called("ours", options.calls, rate),
        "chapeta, not told what is left": lambda: called("ours", options.calls, rate, ("--quiet-limit",)),
        "a client that knows the schedule": lambda: called("scheduled", options.calls, rate),
    }


def called(way: str, calls: int, rate: float, extra: tuple[str, ...] = (), latency_ms: float = LATENCY_MS) -> Figures:
    with provider(rate, latency_ms, extra) as port:
        figures = ran("caller.py", [way, str(port), str(calls), str(rate)])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/seen") as seen:
            return figures | json.loads(seen.read())


def capacity(options: argparse.Namespace) -> str:
    """What the stand-in answers without latency and limit."""
    figures = called("capacity", options.calls, 1e9, latency_ms=0)
    return f"{figures['answered'] / figures['seconds']:,.0f} answers/s without latency and limit"


@contextmanager
def provider(rate: float, latency_ms: float, extra: tuple[str, ...]) -> Iterator[int]:
    command = [
        sys.executable,
        str(HERE / "provider.py"),
        "--latency-ms",
        str(latency_ms),
        "--per-second",
        str(rate),
        *extra,
    ]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    try:
        yield int(child.stdout.readline())
    finally:
        child.stdin.close()
        child.kill()
        child.wait()


def ran(script: str, arguments: list[str], env: dict[str, str] | None = None) -> Figures:
    """What a contestant's own process found."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments], stdout=subprocess.PIPE, check=True,
        env={**os.environ, "PYTHONPATH": path, **(env or {})},
    )  # fmt: skip
    found: Figures = json.loads(done.stdout)
    if found.get("errors"):
        sys.exit(f"{script}: {found['errors']}")
    return found


def about_this_run(options: argparse.Namespace, ideal_s: float) -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "When": f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}, commit {commit or 'unknown'}",
        "Machine": f"{cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; "
        f"Python {platform.python_version()}, xllamacpp {version('xllamacpp')}",
        "Local": f"{options.rows} rows of BANKING77 × {options.candidates} Skills of {options.skill_tokens} tokens, "
        f"{options.model}, 77 labels; llama.cpp with {options.parallel} sequences; row by row {options.naive_rows} rows",
        "Remote": f"{options.calls:,} calls, {LATENCY_MS} ms each, {options.per_second:g} a second and as many at once "
        f"from a full bucket; ideal {ideal_s:.1f} s",
        "Figures": f"medians over {options.rounds} interleaved rounds (lowest–highest)",
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with BANKING77's train.csv and test.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of table.md and table.json")
    parser.add_argument("--only", default="local,remote")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--naive-rows", type=int, default=10, help="of them, row by row")
    parser.add_argument("--candidates", type=int, default=2)
    parser.add_argument("--skill-tokens", type=int, default=600)
    parser.add_argument("--parallel", type=int, default=8, help="sequences of llama.cpp's own batches")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--per-second", type=float, default=200.0)
    parser.add_argument("--model", default="smollm2-135m")
    options = parser.parse_args()
    options.only = options.only.split(",")
    options.naive_rows = min(options.naive_rows, options.rows)
    if unknown := set(options.only) - {"local", "remote"}:
        parser.error(f"no part {', '.join(unknown)}; there are local and remote")
    return options


if __name__ == "__main__":
    main(parsed())
