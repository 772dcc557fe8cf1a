"""Makes pages of many elements quicker to build: what NiceGUI finds out about the same function again and again is kept.

For each element it asks three times whether a method of its own takes arguments (`inspect.signature`), and for each handler
once: a third of the time that a page of a long chat takes to build (NiceGUI 3.18).
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any

from nicegui import helpers


def remember_signatures() -> None:
    """From now on NiceGUI looks at a function's signature once. Calling it again changes nothing."""
    if not isinstance(helpers.expects_arguments, _Remembered):
        helpers.expects_arguments = _Remembered(helpers.expects_arguments)  # type: ignore[assignment]


class _Remembered:
    """`expects_arguments` with what it said, by a function's code: every element has methods of its own, but few codes."""

    def __init__(self, ask: Callable[[Callable[..., Any]], bool]) -> None:
        self._ask = ask
        self._said: dict[tuple[CodeType, bool, int], bool] = {}

    def __call__(self, function: Callable[..., Any]) -> bool:
        bound = isinstance(function, MethodType)
        plain = function.__func__ if isinstance(function, MethodType) else function
        if not isinstance(plain, FunctionType) or plain.__dict__ or plain.__kwdefaults__:
            return self._ask(function)  # something else than a plain function, as a partial or a wrapper
        key = (plain.__code__, bound, len(plain.__defaults__ or ()))
        if key not in self._said:
            self._said[key] = self._ask(function)
        return self._said[key]
