"""What is sent again, and when."""

from __future__ import annotations

import pytest

from chapeta.gateway import retry
from chapeta.gateway.fault import Fault


@pytest.mark.parametrize("status", [408, 429, 502, 503, 529])
def test_a_refusal_is_repeated_unless_work_had_begun(status: int) -> None:
    assert retry.is_safe(Fault(status, "no"))
    assert not retry.is_safe(Fault(status, "no", sent=True))
    assert not retry.is_safe(Fault(status, "no", retry_after_s=31))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 500, 504])
def test_other_errors_are_told_at_once(status: int) -> None:
    assert not retry.is_safe(Fault(status, "no"))


def test_waits_grow_and_keep_to_what_the_provider_asks() -> None:
    for _ in range(100):
        assert 0.25 <= retry.wait_s(Fault(503, "no"), 1) <= 0.5
        assert 0.5 <= retry.wait_s(Fault(503, "no"), 2) <= 1.0
        assert retry.wait_s(Fault(503, "no"), 20) <= retry.LONGEST_WAIT_S
        assert 7 <= retry.wait_s(Fault(429, "no", retry_after_s=7), 1) <= 7.7
