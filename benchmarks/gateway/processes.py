"""Starting what is measured, knowing when it is ready, what it costs in CPU time and memory, and ending it for certain.

Every child leads a process group of its own, which is ended as a whole; and the kernel ends a child if this process dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PATIENCE_ON_STOP_S = 5.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Child:
    """A running program with its log. Use as a context manager: leaving it ends the program and all it started."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path, core: int | None) -> None:
        self.started_s = time.perf_counter()
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                list(command), env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=before_exec(core),
            )  # fmt: skip

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        for kind, patience_s in ((signal.SIGTERM, PATIENCE_ON_STOP_S), (signal.SIGKILL, PATIENCE_ON_STOP_S)):
            try:
                os.killpg(self.process.pid, kind)
            except ProcessLookupError:
                return
            until_s = time.perf_counter() + patience_s
            while time.perf_counter() < until_s and group_lives(self.process):
                time.sleep(0.02)

    def cpu_s(self) -> float:
        """CPU time of the program and of all it started, those that have ended included."""
        return sum(sum(map(int, stat_fields(pid)[11:15])) for pid in self.pids()) / TICKS_PER_S

    def rss_mb(self, field: str = "VmRSS") -> float:
        """Resident memory of the program and all it started; with `VmHWM` the sum of each one's highest."""
        return sum(status_kb(pid, field) for pid in self.pids()) / 1024

    def pids(self) -> list[int]:
        parents = {pid: int(fields[1]) for pid in all_pids() if len(fields := stat_fields(pid)) > 1}
        found, ahead = [], [self.process.pid]
        while ahead:
            pid = ahead.pop()
            found.append(pid)
            ahead += [child for child, parent in parents.items() if parent == pid]
        return found

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> float:
        """Seconds from the start until `ready()`. Raises RuntimeError with the end of the log if it never is."""
        while not ready():
            waited_s = time.perf_counter() - self.started_s
            if self.process.poll() is not None:
                raise RuntimeError(f"it stopped with exit code {self.process.returncode}: {self.last_words()}")
            if waited_s > timeout_s:
                raise RuntimeError(f"not ready after {timeout_s:.0f} s: {self.last_words()}")
            time.sleep(0.005)
        return time.perf_counter() - self.started_s

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-3:])[-400:] or "its log is empty"


def before_exec(core: int | None) -> Callable[[], None]:
    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})

    return prepare


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # collects it if it has ended, so that the group can vanish
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold spaces; zeros if the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 15


def status_kb(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)
