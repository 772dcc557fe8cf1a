from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest
from nicegui import helpers

from chapeta.web.quick import remember_signatures


def takes(one: object) -> None: ...


def has_default(one: object = None) -> None: ...


def only_by_name(*, one: object) -> None: ...


@wraps(takes)
def wrapped() -> None: ...


class Handlers:
    def nothing(self) -> None: ...

    def takes(self, one: object) -> None: ...

    def __call__(self, one: object) -> None: ...


def lambdas() -> list[Callable[..., Any]]:
    return [lambda: None, lambda one: one, lambda one=1: one, lambda *all: all, lambda **all: all]


GIVEN = [
    takes, has_default, only_by_name, wrapped, Handlers().nothing, Handlers().takes, Handlers(), Handlers, Handlers.nothing,
    partial(takes, 1), partial(takes), print, *lambdas(),
]  # fmt: skip


@pytest.mark.parametrize("function", GIVEN)
def test_what_is_remembered_is_what_would_be_said(
    function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Callable[..., Any]] = []
    before = helpers.functions.expects_arguments

    def ask(function: Callable[..., Any]) -> bool:
        asked.append(function)
        return before(function)

    monkeypatch.setattr(helpers, "expects_arguments", ask)
    remember_signatures()
    remember_signatures()
    try:
        expected = before(function)
    except ValueError:  # Python does not know
        with pytest.raises(ValueError):
            helpers.expects_arguments(function)
        return
    assert [helpers.expects_arguments(function) for _ in range(3)] == [expected] * 3
    assert helpers.expects_arguments(takes) and not helpers.expects_arguments(has_default)


def test_a_method_is_looked_at_once_for_all_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Callable[..., Any]] = []
    monkeypatch.setattr(helpers, "expects_arguments", lambda function: bool(asked.append(function)))
    remember_signatures()
    for _ in range(3):
        assert not helpers.expects_arguments(Handlers().nothing)
        assert not helpers.expects_arguments(Handlers.nothing)
    assert len(asked) == 2
