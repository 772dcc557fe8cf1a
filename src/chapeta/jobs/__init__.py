"""Jobs: long work in child processes, which a closed page, a restart or a kill of the app does not lose.

    submit → jobs/ID/job.json → (Runner) → child: `chapeta.jobs.work` → its own child: `chapeta specialize …`
             jobs/ID/state.json, log.txt, result.json                       the run folder, which is resumable

A job's folder is all there is to know about it. Whoever works on it holds the lock of its `running.lock`, and hands that
lock down to its child; the system takes it back when the last of them is dead, however they died. So nobody has to guess
from a process id whether a job is being worked on.
"""

from __future__ import annotations

from chapeta.jobs.command import specialize_arguments
from chapeta.jobs.control import Watch, cancel, remove, submit, watch
from chapeta.jobs.runner import Runner
from chapeta.jobs.store import Job, Status, job, jobs

__all__ = [
    "Job", "Runner", "Status", "Watch", "cancel", "job", "jobs", "remove", "specialize_arguments", "submit", "watch",
]  # fmt: skip
