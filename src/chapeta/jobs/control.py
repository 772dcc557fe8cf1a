"""What an app does with jobs: submit, look, cancel, remove. Every call blocks briefly: make it in a thread."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from dataclasses import dataclass

from chapeta.errors import BadInput
from chapeta.files import disk_errors, write_atomic
from chapeta.jobs import processes, store
from chapeta.jobs.command import command_of
from chapeta.jobs.store import Job
from chapeta.stages.watch import Live, read_live
from chapeta.types import Json

LOG_BYTES = 4096
GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Watch:
    """A look at a job. live: where its run is, None before it says so. log: its last lines. ahead: jobs before it."""

    job: Job
    live: Live | None
    log: str
    ahead: int


def submit(kind: str, arguments: Json) -> Job:
    """Puts a job at the end of the queue; a Runner begins it.

    arguments: of `specialize_arguments`. Raises BadInput for arguments that cannot be used, a full disk or a data
    directory that may not be written.
    """
    store.require_posix()
    command = command_of(kind, arguments)
    return store.job(store.create(kind, arguments, command.title, command.run))


def watch(job_id: str) -> Watch:
    """Where a job is: reads a few small files, so it can be asked every second. Raises Missing."""
    job = store.job(job_id)
    live = read_live(job.run) if job.state.began_s is not None else None
    if live is not None and not _is_of(live, job):
        live = None  # of an earlier job or command with the same run folder, or of a later one
    ahead = 0
    if job.status == "queued":
        ahead = sum(1 for other in store.jobs() if not other.is_over and int(other.id) < int(job.id))
    return Watch(job, live, store.tail(job.log, LOG_BYTES), ahead)


def cancel(job_id: str) -> Job:
    """Ends a job: at once while it waits, else its processes are interrupted, and killed after some seconds.

    What it has done stays in its run folder. A job that is over is left as it is.
    """
    with store.locked():
        job = store.job(job_id)
        if job.is_over:
            return job
        if _cancel_idle(job_id):
            return store.job(job_id)
        is_kept = processes.is_same(job.state.keeper, job.state.keeper_began_s)
        try:
            write_atomic(store.cancel_file(job.folder), "")  # its keeper looks for this
        except BadInput:  # the disk is full: the command itself is interrupted
            is_kept = False
    if not is_kept and job.state.pid and processes.is_same(job.state.pid, job.state.pid_began_s):
        processes.end(job.state.pid, GRACE_S)
        deadline_s = time.monotonic() + GRACE_S
        while time.monotonic() < deadline_s:  # its own children hold the lock until they are gone, too
            with store.locked():
                if _cancel_idle(job_id):
                    break
            time.sleep(0.05)
    return store.job(job_id)


def _cancel_idle(job_id: str) -> bool:
    """Marks a job on which nobody works, or no longer; False where somebody does."""
    handle = store.take(job_id)
    if handle is None:
        return False
    try:
        state = store.job(job_id).state  # read after its keeper cannot write it any more
        if state.status in ("queued", "running"):
            store.write_state(job_id, dataclasses.replace(state, status="cancelled", ended_s=time.time()))
    finally:
        os.close(handle)
    return True


def remove(job_id: str) -> None:
    """Removes the folder of a job that is over; its run stays."""
    with store.locked():
        job = store.job(job_id)
        if not job.is_over:
            raise BadInput(f"Job {job_id} is {job.status}.", f"Cancel it first: `chapeta jobs cancel {job_id}`.")
        with disk_errors(job.folder):
            shutil.rmtree(job.folder)


def _is_of(live: Live, job: Job) -> bool:
    began, ended = job.state.began_s or 0.0, job.state.ended_s
    return began <= live.updated_s and (ended is None or live.updated_s <= ended + 1)
