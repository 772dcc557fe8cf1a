"""Weights that are being fetched: one fetch a model, whatever page began it, and however many pages look on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chapeta.engine import weights
from chapeta.errors import ChapetaError

Fetch = Callable[[str, weights.Report, weights.Fetched], object]
STEPS = 3  # downloading, verifying, storing: see `weights.pull`


@dataclass(slots=True)
class Pull:
    """One fetch.

    said: what it has told so far, a line a step; fetched, total: bytes of the first, the download; error: why it failed,
    "" if it did not.
    """

    model: str
    began_s: float = field(default_factory=time.monotonic)
    said: list[str] = field(default_factory=list)
    fetched: int = 0
    total: int = 0
    error: str = ""
    is_over: bool = False

    @property
    def share(self) -> float:
        """How much of it is behind it, 0 to 1: of its steps, each as long as another, and of the download's bytes."""
        if self.is_over:
            return 1.0
        loaded = min(1.0, self.fetched / self.total) if self.total else 0.0
        return max(loaded, len(self.said) - 1) / STEPS

    @property
    def now(self) -> str:
        """What it does, in words."""
        step = self.said[-1] if self.said else "beginning"
        loading = len(self.said) == 1 and self.fetched > 0
        return f"{step}: {self.fetched / 1e6:.0f} MB" if loading else step

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began_s


class Pulls:
    """The fetches of this process. Safe from several threads. fetch: `weights.pull`, or what does the same."""

    def __init__(self, fetch: Fetch = weights.pull) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._running: dict[str, Pull] = {}

    def begin(self, model: str) -> Pull:
        """Fetches in a thread of its own; joins the fetch that is under way."""
        with self._lock:
            pull = self._running.get(model)
            if pull is None or pull.is_over:
                pull = self._running[model] = Pull(model)
                threading.Thread(target=self._run, args=(pull,), name=f"pull {model}", daemon=True).start()
            return pull

    def of(self, model: str) -> Pull | None:
        """The fetch that is under way, or that ended last."""
        return self._running.get(model)

    def _run(self, pull: Pull) -> None:
        def fetched(done: int, total: int) -> None:
            pull.fetched, pull.total = done, total

        try:
            self._fetch(pull.model, pull.said.append, fetched)
        except (ChapetaError, OSError) as error:
            pull.error = str(error)
        finally:
            pull.is_over = True


PULLS = Pulls()
