"""The process that keeps one job: begins its command, ends it when told to, and writes what became of it.

    python -m chapeta.jobs.work NUMBER LOCK        (LOCK: the handle of the job's lock, inherited)

It is the leader of a session of its own, so it outlives the app. It holds little and does little, so that it is there to
say why when the command is killed for want of memory. The job's lock goes on to the command: as long as either of them
lives, nobody begins the job a second time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, NoReturn

from chapeta.errors import BadInput, ChapetaError
from chapeta.jobs import processes, store
from chapeta.jobs.command import command_of
from chapeta.jobs.outcome import ended
from chapeta.jobs.store import Job, State

NICENESS = 5  # chats come first; 10 would starve it beside any other busy program
LOOK_EVERY_S = 0.2
GRACE_S = 15.0  # a step of training, and writing a checkpoint
RESERVE_BYTES = 65_536


def main() -> None:
    job_id, handle = sys.argv[1], int(sys.argv[2])
    os.set_inheritable(handle, False)  # handed on to the command alone, not to whatever else is started
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal ends the app, not its jobs
    signal.signal(signal.SIGTERM, _stop)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    _keep(store.job(job_id), handle)


class _Stopped(BaseException):
    """The system goes down, or somebody ends this process: the job waits for the next Runner."""


def _stop(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _keep(job: Job, handle: int) -> None:
    state = dataclasses.replace(job.state, keeper=os.getpid(), keeper_began_s=processes.began_s(os.getpid()))
    reserve = job.folder / ".reserve"
    with contextlib.suppress(OSError):
        reserve.write_bytes(bytes(RESERVE_BYTES))
    code: int | None = None
    try:
        with (job.folder / "log.txt").open("ab") as log, (job.folder / "result.json").open("wb") as result:
            log.write(f"== begun {time.strftime('%Y-%m-%d %H:%M:%S')}, for the {state.starts}. time\n".encode())
            log.flush()
            child = _begin(job, handle, log, result)
            state = dataclasses.replace(state, pid=child.pid, pid_began_s=processes.began_s(child.pid))
            try:
                store.write_state(job.id, state)
                code = _wait(job, child)
            finally:
                if child.poll() is None:
                    processes.end(child.pid, GRACE_S)
                    child.wait()
        state = ended(state, code, job)
    except _Stopped:
        state = dataclasses.replace(state, status="queued", pid=None, keeper=None)
    except (OSError, ChapetaError) as error:
        remedy = error.remedy if isinstance(error, ChapetaError) else "Mend that, then submit the job again."
        message = error.message if isinstance(error, ChapetaError) else f"The job could not be begun ({error})."
        state = dataclasses.replace(state, status="failed", error=message, remedy=remedy, ended_s=time.time())
    _write_last(job, state, reserve)


def _begin(job: Job, handle: int, log: IO[bytes], result: IO[bytes]) -> subprocess.Popen[bytes]:
    words = command_of(job.kind, job.arguments).words
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored here would be ignored there
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "chapeta.cli.main", *words], stdin=subprocess.DEVNULL, stdout=result, stderr=log,
            process_group=0, pass_fds=(handle,),
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _wait(job: Job, child: subprocess.Popen[bytes]) -> int:
    """The exit code of the command, which is ended when the job is told to end."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(LOOK_EVERY_S)
        if store.cancel_file(job.folder).exists():
            processes.end(child.pid, GRACE_S)  # which may take its exit code
            return -signal.SIGINT


def _write_last(job: Job, state: State, reserve: Path) -> None:
    """Writes how it ended; on a full disk the reserved space makes room for that."""
    with contextlib.suppress(OSError):
        reserve.unlink(missing_ok=True)
    with contextlib.suppress(BadInput):  # the next Runner finds a job that nobody works on
        store.write_state(job.id, state)


if __name__ == "__main__":
    main()
