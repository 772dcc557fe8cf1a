"""Where a run is, for whoever looks at its folder: the app, or another terminal.

`progress.json` says which stage is at work and how far it is; it is written anew a few times a second at most, so it
stays small however long the run takes. The figures of training are those of `tuned/MODEL/metrics.jsonl`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from chapeta.progress import Progress
from chapeta.tuning.trainer import TuneProgress

FILE = "progress.json"
EVERY_S = 0.3
KEPT_LINES = 20


@dataclass(frozen=True, slots=True)
class StageTime:
    """A stage of a run, in seconds since 1970. ended_s: None while it is at work."""

    title: str
    began_s: float
    ended_s: float | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """Where a run is. `total` 0 is unknown; `since` is what was done when, at the beginning of this count.

    said: the last lines that the stages had to say. updated_s: when this was written, in seconds since 1970.
    """

    stages: tuple[StageTime, ...]
    done: float
    total: float
    note: str
    said: tuple[str, ...]
    since: tuple[float, float]
    updated_s: float

    @property
    def stage(self) -> str:
        """The title of the stage at work, or of the last one."""
        return self.stages[-1].title if self.stages else ""

    @property
    def share(self) -> float | None:
        """How much of the stage is done, 0 to 1; None where nobody knows."""
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def seconds_left(self) -> float | None:
        """Until the end of the stage, at the pace so far; None before anything can be said."""
        before, began_s = self.since
        if not self.total or self.done <= before or self.updated_s - began_s < 1:
            return None
        return (self.total - self.done) * (self.updated_s - began_s) / (self.done - before)


class Recorded(Progress):
    """Tells another listener, and writes to the run's folder. A disk that takes nothing more does not stop the run."""

    def __init__(self, listener: Progress, folder: Path) -> None:
        self._listener = listener
        self._file = folder / FILE
        self._stages: list[StageTime] = []
        self._said: list[str] = []
        self._done, self._total, self._note = 0.0, 0.0, ""
        self._since = (0.0, time.time())
        self._written = 0.0

    def stage(self, title: str) -> None:
        self._listener.stage(title)
        now = time.time()
        self._end_stage(now)
        self._stages.append(StageTime(title, now))
        self._done, self._total, self._note, self._since = 0.0, 0.0, "", (0.0, now)
        self._write()

    def advance(self, done: float, total: float, note: str = "") -> None:
        self._listener.advance(done, total, note)
        if total != self._total or done < self._done:  # another count within the stage begins
            self._since = (done, time.time())
        self._done, self._total, self._note = done, total, note
        if time.monotonic() - self._written >= EVERY_S or done == total:
            self._write()

    def say(self, line: str) -> None:
        self._listener.say(line)
        self._said = [*self._said, line][-KEPT_LINES:]
        self._write()

    def __enter__(self) -> Recorded:
        self._write()  # an earlier run's state is not taken for this one's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_stage(time.time())
        self._write()

    def _end_stage(self, now: float) -> None:
        if self._stages and self._stages[-1].ended_s is None:
            last = self._stages.pop()
            self._stages.append(StageTime(last.title, last.began_s, now))

    def _write(self) -> None:
        """Replaces the file, so that a reader never sees half of it; not flushed to disk, nobody needs it after a crash."""
        self._written = time.monotonic()
        value = {
            "stages": [[s.title, s.began_s, s.ended_s] for s in self._stages],
            "done": self._done, "total": self._total, "note": self._note,
            "said": self._said, "since": self._since, "updated_s": time.time(),
        }  # fmt: skip
        temporary = self._file.with_name(f".{FILE}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(value), encoding="utf-8")
            temporary.replace(self._file)


def read_live(folder: Path) -> Live | None:
    """Where the run in this folder is, or was when it ended; None where nothing is known."""
    try:
        value = json.loads((folder / FILE).read_text(encoding="utf-8"))
        stages = tuple(StageTime(*stage) for stage in value["stages"])
        since = (float(value["since"][0]), float(value["since"][1]))
        figures = (float(value["done"]), float(value["total"]), str(value["note"]))
        return Live(stages, *figures, tuple(map(str, value["said"])), since, float(value["updated_s"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


@dataclass(slots=True)
class Curve:
    """The steps of the training that a run is at, or was at last. Reads only what has been added since the last look."""

    folder: Path
    points: list[TuneProgress] = field(default_factory=list)
    _file: Path | None = None
    _inode: int = 0
    _offset: int = 0

    def read(self) -> list[TuneProgress]:
        """All steps so far, oldest first. A training that was begun anew, or resumed before its last step, replaces them."""
        with contextlib.suppress(OSError):
            files = self.folder.glob("tuned/*/metrics.jsonl")
            newest = max(files, key=lambda file: file.stat().st_mtime_ns, default=None)
            if newest is not None:
                self._read(newest)
        return self.points

    def _read(self, file: Path) -> None:
        with file.open("rb") as opened:
            stat = os.fstat(opened.fileno())
            if file != self._file or stat.st_ino != self._inode or stat.st_size < self._offset:
                self._file, self._inode, self._offset, self.points = file, stat.st_ino, 0, []
            opened.seek(self._offset)
            text = opened.read()
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
        self._offset += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, TypeError):
                self.points.append(_point(json.loads(line)))


def _point(value: dict[str, Any]) -> TuneProgress:
    return TuneProgress(**value)
