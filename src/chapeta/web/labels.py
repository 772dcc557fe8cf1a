"""What an element is called for those who do not see it."""

from __future__ import annotations

from typing import TypeVar

from nicegui import ui

Named = TypeVar("Named", bound=ui.element)


def labelled(element: Named, text: str) -> Named:
    """Gives an element a name that others may have written; in `props("…")` a quote would begin attributes of theirs."""
    element.props["aria-label"] = text
    element.update()
    return element
