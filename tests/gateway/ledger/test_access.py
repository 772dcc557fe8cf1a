"""Access keys: issued once, stored hashed, and held to their limits, also by many callers and processes at once."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chapeta.errors import BadInput
from chapeta.gateway.fault import Fault
from chapeta.gateway.ledger import Ledger
from chapeta.gateway.ledger.access import AccessKey, Budget, Gate, Rate, issue, listed, revoke
from chapeta.storage.database import open_database

NOON_S = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
DAY_S = 86400
SOON_S = 30.0


def gate_with(url: str, now_s: float = NOON_S, **limits: object) -> tuple[Gate, AccessKey, list[str]]:
    """A gate that knows one key with these limits, the key, and what the gate warns of."""
    warnings: list[str] = []
    gate = Gate(required=True, warn=warnings.append)
    with open_database(url) as database:
        token = issue(database, "ci", **limits)  # type: ignore[arg-type]
        gate.renew(listed(database, now_s))
    key = gate.admit(token, now_s)
    assert key is not None
    return gate, key, warnings


def refusal(call: Callable[[], object], status: int) -> Fault:
    with pytest.raises(Fault) as refused:
        call()
    assert refused.value.status == status
    return refused.value


def eventually(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.05)


def test_a_key_is_shown_once_and_only_its_hash_is_stored(empty_home: Path) -> None:
    with open_database() as database:
        token = issue(
            database, "ci", budget=Budget(5, "day"), models=("openrouter/*", "openai/gpt-5"), rate=Rate(60, 60)
        )
        [key] = listed(database)
    assert re.fullmatch(r"chapeta-[A-Za-z0-9_-]{43}", token)
    assert (key.name, key.last4, key.budget, key.rate) == ("ci", token[-4:], Budget(5, "day"), Rate(60, 60))
    assert key.models == ("openrouter/*", "openai/gpt-5")
    assert abs(key.created_at - time.time()) < 60
    files = b"".join(file.read_bytes() for file in empty_home.iterdir() if file.is_file())
    assert key.sha256.encode() in files
    assert token.encode() not in files
    assert token[10:20].encode() not in files
    assert key.sha256 not in repr(key)


def test_names_are_unique_until_revoked(database_url: str) -> None:
    with open_database(database_url) as database:
        issue(database, "b")
        issue(database, "a")
        with pytest.raises(BadInput, match="There is a key 'a' already"):
            issue(database, "a")
        assert [key.name for key in listed(database)] == ["a", "b"]
        assert revoke(database, "a")
        assert not revoke(database, "a")
        issue(database, "a")
        assert [key.name for key in listed(database)] == ["a", "b"]


@pytest.mark.parametrize("name", ["", "two words", "line\nbreak", "x" * 65, "-rf", "Ä"])
def test_names_that_cannot_be(empty_home: Path, name: str) -> None:
    with open_database() as database, pytest.raises(BadInput, match="cannot name a key"):
        issue(database, name)


def test_a_key_that_has_expired_already_is_not_issued(empty_home: Path) -> None:
    with open_database() as database, pytest.raises(BadInput, match="would have expired already"):
        issue(database, "ci", expires_at=time.time() - 1)


def test_who_may_come_in(database_url: str) -> None:
    gate, key, _ = gate_with(database_url)
    assert gate.has_keys
    assert refusal(lambda: gate.admit(None, NOON_S), 401).code == "missing_api_key"
    unknown = refusal(lambda: gate.admit("chapeta-" + "x" * 39 + "1234", NOON_S), 401)
    assert (unknown.code, "…1234" in unknown.message) == ("invalid_api_key", True)
    assert "x" not in refusal(lambda: gate.admit("xxxx", NOON_S), 401).message
    assert refusal(lambda: gate.admit("half a \ud83d", NOON_S), 401)
    gate.check(key, "anything", NOON_S)


def test_without_need_no_key_is_fine_but_a_wrong_one_is_not() -> None:
    gate = Gate()
    assert gate.admit(None, NOON_S) is None
    assert not gate.has_keys
    refusal(lambda: gate.admit("chapeta-wrong", NOON_S), 401)


def test_an_expired_key_is_told_since_when(empty_home: Path) -> None:
    expires_at = datetime(2100, 1, 2, 3, 4, tzinfo=UTC).timestamp()
    gate = Gate()
    with open_database() as database:
        token = issue(database, "ci", expires_at=expires_at)
        gate.renew(listed(database))
    key = gate.admit(token, expires_at - 1)
    assert key is not None
    gate.check(key, "m", expires_at - 1)
    for call in (lambda: gate.admit(token, expires_at), lambda: gate.check(key, "m", expires_at)):
        fault = refusal(call, 401)
        assert fault.code == "expired_api_key"
        assert fault.message == "The access key 'ci' expired at 2100-01-02 03:04 UTC."


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        ("openrouter/anthropic/claude", True),
        ("openai/gpt-5", True),
        ("openai/gpt-5-mini", False),
        ("OpenRouter/x", False),
        ("support-1", True),
        ("support-12", False),
        ("xopenrouter/a", False),
    ],
)
def test_models_by_pattern(empty_home: Path, model: str, allowed: bool) -> None:
    gate, key, _ = gate_with("", models=("openrouter/*", "openai/gpt-5", "support-?"))
    if allowed:
        gate.check(key, model, NOON_S)
        return
    fault = refusal(lambda: gate.check(key, model, NOON_S), 403)
    assert fault.code == "model_not_allowed"
    assert model in fault.message
    assert "openrouter/*, openai/gpt-5, support-?" in fault.remedy


def test_a_budget_that_is_spent_says_so_with_figures_and_begins_anew(database_url: str) -> None:
    gate, key, warnings = gate_with(database_url, budget=Budget(5, "day"))
    gate.charge(key, 3.99)
    assert warnings == []
    gate.charge(key, 0.01)
    gate.charge(key, 0.5)
    assert warnings == ["The access key 'ci' has spent 80% of its budget of $5.00 a day."]
    gate.check(key, "m", NOON_S)
    gate.charge(key, 0.52)
    fault = refusal(lambda: gate.check(key, "m", NOON_S), 402)
    assert fault.code == "budget_spent"
    assert fault.message == "$5.02 of $5.00 a day are spent; it begins anew at 2026-11-23 00:00 UTC."
    gate.check(key, "m", NOON_S + DAY_S / 2)
    gate.charge(key, 4.5)
    assert len(warnings) == 2


def test_a_total_never_begins_anew(database_url: str) -> None:
    gate, key, _ = gate_with(database_url, budget=Budget(0.5, "total"))
    gate.charge(key, 0.5)
    fault = refusal(lambda: gate.check(key, "m", NOON_S + 1000 * DAY_S), 402)
    assert fault.message == "$0.50 of $0.50 in all are spent."


@pytest.mark.parametrize("usd", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_cost_is_not_charged(empty_home: Path, usd: float) -> None:
    gate, key, _ = gate_with("", budget=Budget(1, "total"))
    gate.charge(key, usd)
    assert gate.take_charges() == {}
    gate.check(key, "m", NOON_S)


def test_a_rate_lets_a_burst_through_and_then_one_by_one(database_url: str) -> None:
    gate, key, _ = gate_with(database_url, rate=Rate(3, 60))
    for _ in range(3):
        gate.check(key, "m", NOON_S)
    fault = refusal(lambda: gate.check(key, "m", NOON_S), 429)
    assert fault.code == "rate_limit_exceeded"
    assert fault.retry_after_s == pytest.approx(20.0)
    assert fault.message == "The access key 'ci' is limited to 3/min calls."
    assert refusal(lambda: gate.check(key, "m", NOON_S + 15), 429).retry_after_s == pytest.approx(5.0)
    gate.check(key, "m", NOON_S + 20)
    refusal(lambda: gate.check(key, "m", NOON_S + 20), 429)
    for _ in range(3):
        gate.check(key, "m", NOON_S + 1000)
    refusal(lambda: gate.check(key, "m", NOON_S + 1000), 429)


def test_a_rate_over_a_long_time_is_what_was_asked_for(empty_home: Path) -> None:
    gate, key, _ = gate_with("", rate=Rate(10, 1))
    passed = 0
    for step in range(2000):  # 20 s in steps of 10 ms
        try:
            gate.check(key, "m", NOON_S + step / 100)
            passed += 1
        except Fault:
            pass
    assert passed == 10 + 199  # the burst, then one each 100 ms


def test_a_refused_call_does_not_use_up_the_rate(empty_home: Path) -> None:
    gate, key, _ = gate_with("", rate=Rate(1, 60), models=("a",))
    refusal(lambda: gate.check(key, "b", NOON_S), 403)
    gate.check(key, "a", NOON_S)


def test_a_budget_holds_200_threads_to_the_calls_in_flight(empty_home: Path) -> None:
    gate, key, warnings = gate_with("", budget=Budget(1.0, "total"))
    ready = threading.Barrier(200)
    passed = []

    def calls() -> None:
        ready.wait()
        for _ in range(20):
            try:
                gate.check(key, "m", NOON_S)
            except Fault as fault:
                assert fault.status == 402
                return
            gate.charge(key, 0.01)
            passed.append(1)

    threads = [threading.Thread(target=calls) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 100 <= len(passed) <= 100 + 200
    assert sum(gate.take_charges().values()) == pytest.approx(0.01 * len(passed))
    assert len(warnings) == 1
    refusal(lambda: gate.check(key, "m", NOON_S), 402)


def test_a_budget_holds_200_tasks_to_the_calls_in_flight(empty_home: Path) -> None:
    gate, key, _ = gate_with("", budget=Budget(1.0, "total"))
    in_flight = most = passed = 0

    async def call() -> None:
        nonlocal in_flight, most, passed
        for _ in range(20):
            try:
                gate.check(key, "m", NOON_S)
            except Fault:
                return
            in_flight += 1
            most = max(most, in_flight)
            await asyncio.sleep(0)
            in_flight -= 1
            gate.charge(key, 0.01)
            passed += 1

    async def main() -> None:
        await asyncio.gather(*(call() for _ in range(200)))

    asyncio.run(main())
    assert most == 200
    assert 100 <= passed <= 100 + most


def test_processes_share_a_budget_and_learn_of_new_and_revoked_keys(database_url: str) -> None:
    """Two gates, each with its own ledger and connection, as two serving processes have them."""
    with open_database(database_url) as database:
        token = issue(database, "ci", budget=Budget(1.0, "total"))
        gates = [Gate(required=True), Gate(required=True)]
        ledgers = [Ledger(database_url, gate) for gate in gates]
        for ledger in ledgers:
            ledger.open()
        keys = [gate.admit(token, time.time()) for gate in gates]
        for gate, key in zip(gates, keys, strict=True):
            assert key is not None
            gate.charge(key, 0.5)
            gate.check(key, "m", time.time())

        def spent(gate: Gate, key: AccessKey | None) -> bool:
            assert key is not None
            try:
                gate.check(key, "m", time.time())
            except Fault as fault:
                return fault.code == "budget_spent"
            return False

        for gate, key in zip(gates, keys, strict=True):
            eventually(lambda gate=gate, key=key: spent(gate, key))  # type: ignore[misc]
        assert [key.spent_usd for key in listed(database)] == [1.0]

        second = issue(database, "second")
        revoke(database, "ci")

        def learned(gate: Gate) -> bool:
            try:
                return gate.admit(second, time.time()) is not None
            except Fault:
                return False

        for gate, key in zip(gates, keys, strict=True):
            eventually(lambda gate=gate: learned(gate))  # type: ignore[misc]
            refusal(lambda gate=gate: gate.admit(token, time.time()), 401)  # type: ignore[misc]
            assert key is not None
            assert "was revoked" in refusal(lambda gate=gate, key=key: gate.check(key, "m", time.time()), 401).message  # type: ignore[misc]
        for ledger in ledgers:
            ledger.close()


def test_what_was_spent_survives_a_restart(database_url: str) -> None:
    with open_database(database_url) as database:
        token = issue(database, "ci", budget=Budget(1.0, "month"))
    for number in range(3):
        gate = Gate()
        ledger = Ledger(database_url, gate)
        ledger.open()
        key = gate.admit(token, time.time())
        assert key is not None
        assert key.spent_usd == pytest.approx(0.4 * number)
        gate.check(key, "m", time.time())
        gate.charge(key, 0.4)
        ledger.close()
    gate = Gate()
    with open_database(database_url) as database:
        gate.renew(listed(database))
    refusal(lambda: gate.check(key, "m", time.time()), 402)


def test_renewing_keeps_charges_that_are_not_written_yet(empty_home: Path) -> None:
    gate, key, _ = gate_with("", budget=Budget(1.0, "day"))
    gate.charge(key, 1.0)
    with open_database() as database:
        gate.renew(listed(database, NOON_S))
    refusal(lambda: gate.check(key, "m", NOON_S), 402)
    charges = gate.take_charges()
    gate.give_back(charges)
    assert gate.take_charges() == charges


def test_revoking_forgets_what_was_spent(empty_home: Path) -> None:
    gate, key, _ = gate_with("", budget=Budget(1.0, "total"))
    ledger = Ledger(gate=gate)
    ledger.open()
    gate.renew([key])
    gate.charge(key, 1.0)
    ledger.close()
    with open_database() as database:
        assert listed(database)[0].spent_usd == 1.0
        revoke(database, "ci")
        issue(database, "ci", budget=Budget(1.0, "total"))
        assert listed(database)[0].spent_usd == 0.0
    with closing(sqlite3.connect(empty_home / "chapeta.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM spend").fetchone() == (0,)
