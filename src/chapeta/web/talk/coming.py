"""An answer on a page while it comes: what has come since the last look is added, and nothing else is touched."""

from __future__ import annotations

from chapeta.chat.live import Running
from chapeta.web.components.answer import Answer

LOOK_S = 0.1  # how often to look


class Coming:
    """One answer that is coming, and where it is shown."""

    def __init__(self, running: Running, shown: Answer) -> None:
        self.turn_id = running.turn_id
        self._running = running
        self._shown = shown
        text, self._place = running.since(0)
        shown.set(text)

    def more(self) -> bool:
        """Shows what has come. True from the moment on when the turn stands complete in the store."""
        ended = self._running.done.is_set()
        text, self._place = self._running.since(self._place)
        if text:
            self._shown.append(text)
        return ended

    def end(self) -> str:
        """Shows the rest; nothing more will come. The whole text."""
        self.more()
        self._shown.finish()
        return self._running.text
