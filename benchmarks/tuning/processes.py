"""A trainer as a process: how long it ran, what it cost, and its end for certain."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Cost:
    """peak_mb: highest resident memory of the process and all it started, looked at five times a second."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def watched(command: Sequence[str], env: Mapping[str, str], folder: Path, limit_s: float) -> Cost:
    """Runs a command to its end. Raises RuntimeError with the end of its log if it fails or takes longer than the limit."""
    log, before, started = folder / "log.txt", resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(command), env=dict(env), cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    peaks = [0.0]
    ended = threading.Event()
    threading.Thread(target=watch, args=(child.pid, peaks, ended), daemon=True).start()
    try:
        child.wait(limit_s or None)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"not done after {limit_s:.0f} s: {last_words(log)}") from None
    finally:
        ended.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode}: {last_words(log)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - started, cpu_s, peaks[0])


def watch(pid: int, peaks: list[float], ended: threading.Event) -> None:
    while not ended.wait(EVERY_S):
        peaks[0] = max(peaks[0], sum(resident_kb(one) for one in [pid, *descendants(pid)]) / 1024)


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found


def resident_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)


def last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-500:] or "its log is empty"
