"""Trains the same adapter with ours and its peers, round by round, and writes a table.

    python benchmarks/tuning/run.py --data BANKING77 --out FOLDER              time and accuracy, three rounds: hours
    python benchmarks/tuning/run.py --data BANKING77 --out FOLDER --quick      speed alone: a minute each
    python benchmarks/tuning/run.py --data BANKING77 --out FOLDER --only chapeta,trl-flat

BANKING77 is a folder with `train.csv` and `test.csv`. Stopped and called again, it goes on: a finished round is kept in
FOLDER. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peers import CONTESTANTS, REPOSITORY, Contestant, environment, install, ran, versions
from processes import watched
from table import markdown
from task import prepare

HERE = Path(__file__).resolve().parent
QUICK_SECONDS, QUICK_ROWS = 60.0, 960
LIMIT_S = 4 * 3600.0
WARM_UP_STEPS = 1


def main(options: argparse.Namespace) -> None:
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.default_int_handler)  # so that every `finally` runs and no trainer stays behind
    out: Path = options.out.resolve()
    settings = {
        name: getattr(options, name) for name in ("model", "rows", "test_rows", "epochs", "rank", "seed", "seconds")
    }
    keep_to(settings, out / "settings.json")
    prepare(options.data, out / "task", options.model, options.rows, options.test_rows, options.seed)
    chosen = [it for it in CONTESTANTS if it.name in options.only]
    pythons, failed = installed(chosen, options.work)
    for number in range(1, options.rounds + 1):
        turn = number % max(1, len(pythons))
        for contestant in chosen[turn:] + chosen[:turn]:
            if contestant.name in pythons and contestant.name not in failed:
                one_round(contestant, pythons[contestant.name], number, settings, out, failed)
                report(chosen, failed, settings, out, options.work)
    report(chosen, failed, settings, out, options.work)
    print((out / "table.md").read_text(encoding="utf-8"))


def installed(chosen: list[Contestant], work: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The interpreter of each contestant, and why some have none."""
    pythons, failed = {}, {}
    for contestant in chosen:
        say(f"installing {contestant.library}")
        try:
            pythons[contestant.name] = install(contestant.library, work)
        except (RuntimeError, OSError) as error:
            failed[contestant.name] = f"not installed: {error}"
    return pythons, failed


def one_round(
    contestant: Contestant, python: Path, number: int, settings: dict[str, Any], out: Path, failed: dict[str, str]
) -> None:
    """Measures the machine, trains, scores, and keeps the figures; what was done before is not done again."""
    folder = out / "rounds" / f"{number}-{contestant.name}"
    if (folder / "figures.json").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    task = {"base": str(out / "task" / "base"), "train": str(out / "task" / "train.jsonl"), "out": str(folder)}
    about = {"own": contestant.own, "library": contestant.library}
    (folder / "settings.json").write_text(json.dumps({**settings, **task, **about}, indent=1), encoding="utf-8")
    script = HERE / "trainers" / contestant.script
    env = environment() | contestant.env
    try:
        peak = json.loads(ran([sys.executable, str(HERE / "ceiling.py")], env))
        cost = watched([str(python), str(script), "settings.json"], env, folder, settings["seconds"] * 10 or LIMIT_S)
        figures = {"gflops": peak, **asdict(cost), **speed(folder), "load": os.getloadavg()[0]}
        if not settings["seconds"]:
            test, adapter = str(out / "task" / "test.jsonl"), str(folder / "adapter")
            score = [sys.executable, str(HERE / "score.py"), test, adapter, settings["model"]]
            figures |= json.loads(ran(score, env))
    except (RuntimeError, OSError, ValueError) as error:
        failed[contestant.name] = f"round {number}: {error}"
        say(f"round {number}: {contestant.name} failed: {error}")
        return
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    part = folder / "figures.part"
    part.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    part.replace(folder / "figures.json")
    say(f"round {number}: {contestant.name}: {figures['tokens_per_s']:.0f} tokens/s, {cost.wall_s:.0f} s in all")


def speed(folder: Path) -> dict[str, float]:
    """Tokens a second after the first steps, and what all steps took."""
    steps = [json.loads(line) for line in (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()]
    if len(steps) <= WARM_UP_STEPS + 1:
        raise RuntimeError(f"only {len(steps)} steps in the time")
    tokens = sum(step["tokens"] for step in steps[WARM_UP_STEPS:])
    return {
        "steps": len(steps),
        "tokens": sum(step["tokens"] for step in steps),
        "tokens_per_s": tokens / (steps[-1]["s"] - steps[WARM_UP_STEPS - 1]["s"]),
    }


def report(chosen: list[Contestant], failed: dict[str, str], settings: dict[str, Any], out: Path, work: Path) -> None:
    """Writes `table.md` and `table.json` from the rounds that are kept."""
    lines = [json.loads(line) for line in (out / "task" / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    results = []
    for it in chosen:
        kept = sorted((out / "rounds").glob(f"*-{it.name}/figures.json"))
        rounds = [json.loads(path.read_text()) for path in kept if path.parent.name.partition("-")[2] == it.name]
        version = versions(install(it.library, work), it.library) if it.name not in failed else ""
        results.append(
            {**asdict(it), "is_ours": it.is_ours, "version": version, "rounds": rounds, "error": failed.get(it.name)}
        )
    tokens = sum(line["tokens"] for line in lines)
    trained = f"LoRA of rank {settings['rank']}, scale 2, all linear layers; {settings['epochs']:g} epochs"
    cut = f", cut off {settings['seconds']:g} s after the first step" if settings["seconds"] else ""
    about = {
        "When": f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}, commit {commit()}",
        "Machine": f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "Task": f"{len(lines):,} rows of BANKING77, {tokens / len(lines):.1f} tokens each; {trained}{cut}",
    }
    (out / "table.md").write_text(markdown(results, about, tokens), encoding="utf-8")
    kept_figures = {"about": about, "settings": settings, "tokens_of_an_epoch": tokens, "results": results}
    (out / "table.json").write_text(json.dumps(kept_figures, indent=1) + "\n", encoding="utf-8")


def keep_to(settings: dict[str, Any], path: Path) -> None:
    """Rounds of other settings are not mixed with these."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and json.loads(path.read_text()) != settings:
        sys.exit(f"{path.parent} holds rounds of other settings ({path.read_text()}). Choose another folder.")
    path.write_text(json.dumps(settings), encoding="utf-8")


def commit() -> str:
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parsed() -> argparse.Namespace:
    names = [it.name for it in CONTESTANTS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with BANKING77's train.csv and test.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the rounds, table.md and table.json")
    parser.add_argument("--quick", action="store_true", help="speed alone, a minute each")
    parser.add_argument("--only", help=f"comma-separated, of: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2464, help="training rows, as many of each intent; 0: all")
    parser.add_argument("--test-rows", type=int, default=770, help="rows to score on; 0: all")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, help="end each training after so many (60 with --quick, else at its end)"
    )
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument(
        "--work", type=Path, default=REPOSITORY / ".cache" / "tuning-bench", help="where peers are installed"
    )
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else names
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else 0.0)
    options.work = options.work.resolve()
    if unknown := [name for name in options.only if name not in names]:
        parser.error(f"nobody is called {', '.join(unknown)}; there are {', '.join(names)}")
    return options


if __name__ == "__main__":
    try:
        main(parsed())
    except KeyboardInterrupt:
        sys.exit("Stopped. Finished rounds are kept; the same command goes on.")
