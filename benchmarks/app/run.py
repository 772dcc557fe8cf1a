"""Measures the real app in a real browser and writes a table: start, long chats, streaming, search, memory.

    python benchmarks/app/run.py                              all of it, some ten minutes
    python benchmarks/app/run.py --only a,b                   some parts
    python benchmarks/app/run.py --postgresql                 on a PostgreSQL that it starts (Debian's package is enough)
    python benchmarks/app/run.py --only e --hour              memory over a full hour

See README.md beside this file for what is measured and how.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import logging
import os
import platform
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from figures import Figure, as_json, table

REPOSITORY = Path(__file__).resolve().parents[2]
KEPT = REPOSITORY / ".cache" / "app-bench"
PARTS = {  # module -> with a function `measure`
    "a": ("first_page", "First page"),
    "b": ("long_chat", "A chat of 1,000 long messages"),
    "c": ("streaming", "An answer streams"),
    "d": ("finding", "Search and list"),
    "e": ("memory", "Memory"),
}
HOUR_S = 3600.0
BUSY = 0.7  # load average above which other work disturbs the figures


def main(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that every process that was started is ended
    prepare(options.work)
    from driving import set_up

    about = _about(options)
    found: dict[str, list[Figure]] = {}
    failed: dict[str, str] = {}
    settings = {"runs": options.runs, "seconds": HOUR_S if options.hour else options.seconds}
    settings |= {"chats": options.chats, "turns": options.turns, "work": options.work}
    with set_up(options.postgresql, **settings) as bench:
        for key in options.only:
            module, title = PARTS[key]
            print(f"{title} …", file=sys.stderr, flush=True)
            try:
                found[title] = importlib.import_module(module).measure(bench)
                print(table(found[title]), file=sys.stderr, flush=True)
            except Exception:  # the other parts are measured all the same
                logging.getLogger(module).exception("%s failed", title)
                failed[title] = traceback.format_exc()
            _write(options.out, about, found, failed)
    print(_text(about, found, failed))
    return 1 if failed else 0


def prepare(work: Path) -> None:
    """Finds the modules of the project and of its tests, and lets what is started here do so: with compiled files, as
    an installed program has them, and without the user's keys.
    """
    sys.path[:0] = [str(REPOSITORY / part) for part in ("src", "tests", "tests/web")]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")])
    os.environ["PYTHONPYCACHEPREFIX"] = str(work / "compiled")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def _text(about: dict[str, str], found: dict[str, list[Figure]], failed: dict[str, str]) -> str:
    parts = ["# The app, measured", "\n".join(f"- {name}: {value}" for name, value in about.items())]
    parts += [f"## {title}\n\n{table(figures)}" for title, figures in found.items()]
    parts += [f"## {title}: failed\n\n```\n{error}```" for title, error in failed.items()]
    return "\n\n".join(parts) + "\n"


def _write(out: Path | None, about: dict[str, str], found: dict[str, list[Figure]], failed: dict[str, str]) -> None:
    if out is not None:
        out.write_text(_text(about, found, failed), encoding="utf-8")
        out.with_suffix(".json").write_text(json.dumps(as_json(about, found), indent=1) + "\n", encoding="utf-8")


def _about(options: argparse.Namespace) -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    busy = os.getloadavg()[0]
    return {
        "When": f"{datetime.date.today().isoformat()}, commit {commit or 'unknown'}",
        "Machine": f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "Load at the start": f"{busy:.1f}" + (" (busy: trust processor time only)" if busy > BUSY else ""),
        "Database": "PostgreSQL" if options.postgresql else "SQLite",
        "Filled with": f"{options.chats:,} chats, {options.turns:,} messages and {options.runs} chats of 1,000 long ones",
        "Figures": f"medians of {options.runs} runs; load is the machine's when a part ended, its own work included",
    }


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only", default=",".join(PARTS), help=", ".join(f"{key}: {it[1]}" for key, it in PARTS.items())
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=150.0, help="of streaming, for the memory")
    parser.add_argument("--hour", action="store_true", help="an hour of streaming")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--chats", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=KEPT, help="keeps the filled database")
    parser.add_argument("--out", type=Path, help="the table as Markdown; all figures beside it as .json")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if unknown := [key for key in options.only if key not in PARTS]:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main(parsed(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit("Stopped; everything it started has been ended.")
