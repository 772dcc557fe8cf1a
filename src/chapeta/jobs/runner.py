"""Begins what waits in the queue, one job at a time, oldest first. Any number of processes may hold a Runner."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
import time
from types import TracebackType

from chapeta import config
from chapeta.errors import ChapetaError, Corrupt, Missing
from chapeta.jobs import store
from chapeta.jobs.outcome import vanished
from chapeta.jobs.store import Job

LOOK_EVERY_S = 0.5


class Runner:
    """Holds the queue going. Use it in a `with` block, which looks twice a second in a thread of its own; or call `step`.

    Leaving the block ends no job: what runs goes on, what waits is begun by the next Runner. problem: why the last look
    failed, such as a full disk; "" if it did not.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._over: set[int] = set()  # jobs that never change again
        self._keepers: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self) -> Job | None:
        """One look: begins the next job where none is at work. Returns the job at work, None where there is none."""
        self._keepers = [keeper for keeper in self._keepers if keeper.poll() is None]  # and leaves no zombies
        if not self._waiting():
            return None
        with store.locked():
            unfinished = [job for number in self._waiting() if (job := self._unfinished(number)) is not None]
            for job in unfinished:
                if job.status == "running" and store.is_held(job.id):
                    return job
            for job in unfinished:
                handle = store.take(job.id)
                if handle is None:
                    return None  # its keeper is about to be done with it
                try:
                    if (begun := self._begin(store.job(job.id), handle)) is not None:
                        return begun
                finally:
                    os.close(handle)
        return None

    def __enter__(self) -> Runner:
        self._thread = threading.Thread(target=self._look, name="jobs", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            try:
                self.step()
                self.problem = ""
            except (ChapetaError, OSError) as error:
                self.problem = str(error)
            self._stop.wait(LOOK_EVERY_S)

    def _waiting(self) -> list[int]:
        return sorted(set(store.numbers()) - self._over)

    def _unfinished(self, number: int) -> Job | None:
        """The job, if there is something left to do; what is over is not read again."""
        with contextlib.suppress(Missing, Corrupt):
            job = store.job(str(number))
            if not job.is_over:
                return job
        self._over.add(number)
        return None

    def _begin(self, job: Job, handle: int) -> Job | None:
        """Begins a job on which nobody works, if it is to be begun. The keeper inherits the handle that holds its lock."""
        state = job.state
        if state.status == "running":
            state = vanished(state)
        if job.told_to_end and not job.is_over:
            state = dataclasses.replace(state, status="cancelled", ended_s=time.time())
        if state.status == "queued":
            began_s = state.began_s or time.time()
            state = dataclasses.replace(state, status="running", starts=state.starts + 1, began_s=began_s)
        store.write_state(job.id, state)
        if state.status != "running":
            return None
        words = [sys.executable, "-m", "chapeta.jobs.work", job.id, str(handle)]
        environment = {**os.environ, config.HOME_VARIABLE: str(config.home().absolute())}
        with job.log.open("ab") as log:
            keeper = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, pass_fds=(handle,),
                start_new_session=True,
            )  # fmt: skip
        self._keepers.append(keeper)
        return store.job(job.id)
