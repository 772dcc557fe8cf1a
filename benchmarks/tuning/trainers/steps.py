"""When each step of a training run ended and how many tokens it had read: one line each in `steps.jsonl`.

No import from anywhere: every peer's environment runs it.
"""

from __future__ import annotations

import json
import time
from pathlib import Path


class Steps:
    """The notes of one run. `seconds`: how long it may train after its first step; 0 is to its end."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._seconds = seconds
        self._first = 0.0
        self._file = (folder / "steps.jsonl").open("w", encoding="utf-8", buffering=1)

    def done(self, tokens: int) -> bool:
        """A step has ended that read so many tokens (padding not counted). Returns whether the time is up."""
        now = time.perf_counter()
        self._first = self._first or now
        passed = now - self._first
        self._file.write(json.dumps({"s": round(passed, 4), "tokens": tokens}) + "\n")
        return bool(self._seconds) and passed >= self._seconds
