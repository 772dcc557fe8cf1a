"""What became of a job, by how its command has ended: in words, and whether it is begun again."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import signal
import time
from pathlib import Path

from chapeta.jobs import store
from chapeta.jobs.store import Job, State

MOST_CRASHES = 3  # a command that was killed so often is not begun again
MOST_VANISHED = 10  # nor a job that may be what brings the machine down
LITTLE_BYTES = 65_536
INTERRUPTED = (130, -signal.SIGINT)


def ended(state: State, code: int, job: Job) -> State:
    """The state of a job whose command has ended with this exit code (a signal, if negative)."""
    over = dataclasses.replace(state, ended_s=time.time(), pid=None, keeper=None)
    if code == 0:
        return dataclasses.replace(over, status="done", result=store.result_of(job.folder))
    if code in INTERRUPTED or store.cancel_file(job.folder).exists():
        return dataclasses.replace(over, status="cancelled")
    if code < 0:
        return _after_crash(over, f"It was killed ({signal.Signals(-code).name})")
    message, remedy = reason_in(store.tail(job.log), code, job.log)
    return dataclasses.replace(over, status="failed", error=message, remedy=remedy)


def vanished(state: State) -> State:
    """The state of a job that nobody works on any more, and that nobody has ended: the machine went down, or all was
    killed. It waits to be begun again, unless that has happened too often."""
    count = state.vanished + 1
    if count < MOST_VANISHED:
        return dataclasses.replace(_queued(state), vanished=count)
    return _failed(state, f"All its processes have vanished, for the {count}. time")


def _after_crash(state: State, what: str) -> State:
    count = state.crashes + 1
    if count < MOST_CRASHES:
        return dataclasses.replace(_queued(state), crashes=count, error=f"{what}.")
    return dataclasses.replace(_failed(state, f"{what}, for the {count}. time"), crashes=count)


def _queued(state: State) -> State:
    return dataclasses.replace(state, status="queued", ended_s=None, pid=None, keeper=None, error="", remedy="")


def _failed(state: State, what: str) -> State:
    remedy = "Most often memory is what is short: close other programs, take a smaller model or shorter rows."
    return dataclasses.replace(
        state, status="failed", ended_s=time.time(), pid=None, keeper=None, error=f"{what}.", remedy=remedy
    )


def reason_in(log: str, code: int, file: Path) -> tuple[str, str]:
    """Why a command has failed, by the end of its log, and the next step."""
    said = [line.removeprefix("chapeta: ") for line in log.splitlines() if line.startswith("chapeta: ")]
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("== ")]
    if said:
        return said[-1], ""
    if "Traceback" in log and lines:
        return f"It ended unexpectedly: {lines[-1][:400]}", f"The whole story is in {file}."
    with contextlib.suppress(OSError):
        if shutil.disk_usage(file.parent).free < LITTLE_BYTES:
            return "The disk is full.", "Free some space, then submit the job again: it goes on where it was."
    return f"It ended with exit code {code} and said nothing.", f"Its log is {file}."
