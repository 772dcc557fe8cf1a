"""The folders of jobs: numbered, read and written whole, changed by one process at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from chapeta import config
from chapeta.errors import BadInput, Corrupt, Missing
from chapeta.files import disk_errors, read_json, write_atomic, write_json
from chapeta.types import Json

Status = Literal["queued", "running", "done", "failed", "cancelled"]
SUBMIT_AGAIN = "Submit the job again."
NEW = ".new-"  # begins the name of a folder that is not a job yet
LAST = "last-number"


@dataclass(frozen=True, slots=True)
class State:
    """How a job is doing. Moments are in seconds since 1970.

    starts: how often it was begun; crashes: how often its command was killed;
    vanished: how often all its processes were gone. keeper: the process that looks after
    it, pid: the command itself, each with the moment at which that process began. error, remedy: why it failed.
    result: what the command printed.
    """

    status: Status = "queued"
    starts: int = 0
    crashes: int = 0
    vanished: int = 0
    began_s: float | None = None
    ended_s: float | None = None
    keeper: int | None = None
    keeper_began_s: float | None = None
    pid: int | None = None
    pid_began_s: float | None = None
    error: str = ""
    remedy: str = ""
    result: Json | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was submitted, and how it is doing."""

    id: str
    kind: str
    arguments: Json
    title: str
    run: Path
    submitted_s: float
    state: State
    told_to_end: bool = False

    @property
    def status(self) -> Status:
        return self.state.status

    @property
    def is_over(self) -> bool:
        return self.status in ("done", "failed", "cancelled")

    @property
    def cancelling(self) -> bool:
        """Whether it was told to end and is about to."""
        return self.told_to_end and not self.is_over

    @property
    def folder(self) -> Path:
        return folder_of(self.id)

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"


def jobs_dir() -> Path:
    """One folder a job."""
    return config.home() / "jobs"


def folder_of(job_id: str) -> Path:
    """The folder of a job; Missing for what cannot be a job's number."""
    if not (job_id.isascii() and job_id.isdigit() and len(job_id) <= 9):
        raise Missing(f"There is no job '{job_id[:40]}'.", "`chapeta jobs` shows those there are.")
    return jobs_dir() / job_id


def job(job_id: str) -> Job:
    """One job. Raises Missing, or Corrupt where its files cannot be read."""
    folder = folder_of(job_id)
    if not (folder / "job.json").exists():
        raise Missing(f"There is no job '{job_id}'.", "`chapeta jobs` shows those there are.")
    asked = read_json(folder / "job.json", "chapeta jobs")
    try:
        return Job(
            job_id, asked["kind"], asked["arguments"], asked["title"], Path(asked["run"]), asked["submitted_s"],
            msgspec.convert(read_json(folder / "state.json", "chapeta jobs"), State), cancel_file(folder).exists(),
        )  # fmt: skip
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise Corrupt(f"The files in {folder} are not those of a job ({error}).", SUBMIT_AGAIN) from None


def jobs(limit: int | None = None) -> list[Job]:
    """All jobs or the newest so many, newest first. One whose files are damaged does not hide the others."""
    found: list[Job] = []
    for number in sorted(numbers(), reverse=True):
        with contextlib.suppress(Missing, Corrupt):
            found.append(job(str(number)))
        if limit is not None and len(found) >= limit:
            break
    return found


def numbers() -> list[int]:
    """The numbers of the jobs, in no order."""
    try:
        with os.scandir(jobs_dir()) as entries:
            return [int(entry.name) for entry in entries if entry.name.isascii() and entry.name.isdigit()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def create(kind: str, arguments: Json, title: str, run: Path) -> str:
    """A new job's folder, which comes to be whole or not at all. Returns its number."""
    asked = {"kind": kind, "arguments": arguments, "title": title, "run": str(run), "submitted_s": time.time()}
    with disk_errors(jobs_dir()):
        jobs_dir().mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=jobs_dir(), prefix=NEW))
    try:
        write_json(new / "job.json", asked)
        write_json(new / "state.json", dataclasses.asdict(State()))
        with disk_errors(jobs_dir()), locked():
            number = max([_last_number(), *numbers()]) + 1
            write_atomic(jobs_dir() / LAST, str(number))
            new.rename(folder_of(str(number)))
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return str(number)


def _last_number() -> int:
    """The newest job's, also if it was removed: who knows its number, as a page or a Runner does, is not to find another."""
    try:
        return int((jobs_dir() / LAST).read_text(encoding="ascii"))
    except (OSError, ValueError):  # none yet, or damaged: those that are there say enough
        return 0


def write_state(job_id: str, state: State) -> None:
    write_json(folder_of(job_id) / "state.json", dataclasses.asdict(state))


def cancel_file(folder: Path) -> Path:
    """Is there when the job was told to end."""
    return folder / "cancel"


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Held for the moment in which the state of a job that nobody works on changes, or one is begun."""
    with disk_errors(jobs_dir()):
        jobs_dir().mkdir(parents=True, exist_ok=True)
        handle = os.open(jobs_dir() / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        import portalocker

        portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE)
        yield
    finally:
        os.close(handle)


def take(job_id: str) -> int | None:
    """A handle that holds the job's lock until it and all its copies are closed; None where somebody works on it."""
    import portalocker

    with disk_errors(folder_of(job_id)):
        handle = os.open(folder_of(job_id) / "running.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


def is_held(job_id: str) -> bool:
    """Whether somebody works on the job."""
    handle = take(job_id)
    if handle is None:
        return True
    os.close(handle)
    return False


def tail(path: Path, most_bytes: int = 16_384) -> str:
    """The end of a text file, whole lines; "" where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most_bytes))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return text if size <= most_bytes else text.partition("\n")[2]


def result_of(folder: Path) -> Any:
    """What the command printed, as JSON; None where it is none."""
    try:
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def require_posix() -> None:
    """Locks are handed down from process to process, which Windows cannot."""
    if sys.platform == "win32":
        raise BadInput("Jobs do not run on Windows yet.", "Run `chapeta specialize` in a terminal.")
