"""How long work tells what it is doing. The stages call it; the command line draws it; by default nobody listens."""

from __future__ import annotations


class Progress:
    """A listener that ignores everything. `total` 0 is unknown."""

    def stage(self, title: str) -> None:
        """A new stage begins; the one before it is done."""

    def advance(self, done: float, total: float, note: str = "") -> None:
        """`done` of `total` steps of the current stage are finished; `note` has figures such as loss or tokens/s."""

    def say(self, line: str) -> None:
        """One line that stays on the screen."""


SILENT = Progress()
