"""Fields that a model refuses are left out from then on, if they were ours."""

from __future__ import annotations

from typing import Any

import msgspec

from chapeta.gateway.dialects import Dialects
from chapeta.gateway.fault import Fault


def refusal(message: str, param: str | None = None, status: int = 400) -> Fault:
    return Fault(status, message, provider="openai", param=param)


UNSUPPORTED = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)


def test_a_refused_field_gets_its_other_name() -> None:
    dialects = Dialects()
    assert dialects.learn("m", refusal(UNSUPPORTED, "max_tokens"), {"max_tokens"})
    changed: dict[str, Any] = {"max_tokens": 8}
    dialects.adapt("m", {}, changed, changed)
    assert changed == {"max_tokens": None, "max_completion_tokens": 8}
    other: dict[str, Any] = {"max_tokens": 8}
    dialects.adapt("another", {}, other, other)
    assert other == {"max_tokens": 8}


def test_a_refused_field_of_the_request_is_left_out() -> None:
    dialects = Dialects()
    assert dialects.learn("m", refusal("Unsupported value: 'temperature' does not support 0."), {"temperature"})
    changed: dict[str, Any] = {}
    fields = {"temperature": msgspec.Raw(b"0")}
    dialects.adapt("m", fields, changed, fields)
    assert changed == {"temperature": None}


def test_what_was_learned_of_ours_leaves_a_callers_field_alone() -> None:
    dialects = Dialects()
    assert dialects.learn("m", refusal("Unsupported value: 'temperature' does not support 0."), {"temperature"})
    changed: dict[str, Any] = {"model": "m"}
    dialects.adapt("m", {"temperature": msgspec.Raw(b"0")}, changed, ours=("model",))
    assert changed == {"model": "m"}


def test_a_callers_own_field_and_other_refusals_are_not_learned() -> None:
    dialects = Dialects()
    assert not dialects.learn("m", refusal(UNSUPPORTED, "max_tokens"), {"temperature"})
    assert not dialects.learn("m", refusal("temperature is 3, give 2 or less", "temperature"), {"temperature"})
    assert not dialects.learn("m", refusal(UNSUPPORTED, "max_tokens", status=500), {"max_tokens"})
    assert "m" not in dialects


def test_nothing_is_learned_twice() -> None:
    dialects = Dialects()
    assert dialects.learn("m", refusal(UNSUPPORTED, "max_tokens"), {"max_tokens"})
    assert not dialects.learn("m", refusal(UNSUPPORTED, "max_tokens"), {"max_tokens"})
