"""What stands under a turn of a chat, as one element of the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments


@dataclass(frozen=True, slots=True)
class Act:
    """A small button: the name of its picture, what it does in words, and what it does. off: it cannot be pressed.

    href: of the app's own pages; then it is a link.
    """

    icon: str
    label: str
    do: Callable[[], Awaitable[None] | None] = lambda: None
    off: bool = False
    href: str = ""


class Foot(Element, component="foot.js"):
    """Words and buttons: `before` and `about` always seen, `acts` when the turn is pointed at or the last one."""

    def __init__(self, before: Sequence[Act | str], about: str, acts: Sequence[Act]) -> None:
        super().__init__()
        self._acts = [one for one in (*before, *acts) if isinstance(one, Act)]
        self._props |= {
            "before": [self._shown(one) for one in before],
            "about": about,
            "acts": [self._shown(one) for one in acts],
        }
        self.on("act", self._act)

    def _shown(self, one: Act | str) -> dict[str, Any]:
        if isinstance(one, str):
            return {"text": one}
        shown = {"icon": one.icon, "label": one.label, "off": one.off, "href": one.href}
        return {**shown, "number": self._acts.index(one)}

    async def _act(self, event: GenericEventArguments) -> None:
        """What comes from the page is looked at before it is believed."""
        number = event.args
        if isinstance(number, int) and 0 <= number < len(self._acts) and not self._acts[number].off:
            done = self._acts[number].do()
            if done is not None:
                await done
