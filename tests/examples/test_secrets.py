"""Secrets: shapes found, checksums honoured, values masked. Numbers are the published specimen numbers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.examples.secrets import find_secrets, iban, luhn, masked


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to jane.doe+x@mail.example.org, please", ["e-mail"]),
        ("call +49 30 1234567", ["phone"]),
        ("(415) 555-0134", ["phone"]),
        ("0176 12345678", ["phone"]),
        ("my account is DE89 3704 0044 0532 0130 00", ["IBAN"]),
        ("GB29NWBK60161331926819", ["IBAN"]),
        ("GB28NWBK60161331926819", []),
        ("card 4111 1111 1111 1111", ["payment card"]),
        ("card 4111 1111 1111 1112", []),
        ("5555-5555-5555-4444", ["payment card"]),
        ("key sk-proj-abcdefghijklmnopqrstuvwx", ["API key"]),
        ("AKIAIOSFODNN7EXAMPLE", ["API key"]),
        ("ghp_" + "a1B2" * 9, ["API key"]),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcDEF123456", ["access token"]),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", ["private key"]),
        ("host 192.168.10.25.", ["IP address"]),
        ("host 2001:db8::ff00:42:8329", ["IP address"]),
        ("127.0.0.1 and 300.1.2.3", []),
        ("order 1234567 of 2024-01-02, 3 at 12.50, at 12:30:45, std::vector, v1.2.3", []),
        ("How do I top up by card? It's @home.", []),
    ],
)
def test_kinds(text: str, kinds: list[str]) -> None:
    assert [finding.kind for finding in find_secrets(text)] == kinds


def test_values_are_masked_and_lines_kept() -> None:
    (finding,) = find_secrets("card 4111 1111 1111 1111", line=7)
    assert (finding.line, finding.value) == (7, "41…11")
    assert masked("short") == "…"


@given(st.integers(10**11, 10**14))
def test_exactly_one_check_digit_satisfies_luhn(number: int) -> None:
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


def test_iban_checksum() -> None:
    assert iban("FR14 2004 1010 0505 0001 3M02 606")
    assert not iban("FR14 2004 1010 0505 0001 3M02 607")


@settings(max_examples=100, deadline=1000)
@given(st.text(st.sampled_from("0123456789 .-+()@:aAeyJsk_/\n"), max_size=300))
def test_any_text_is_scanned_quickly(text: str) -> None:
    for finding in find_secrets(text):
        assert finding.value


@pytest.mark.parametrize(
    ("text", "count"), [("a@bc.de " * 40_000, 40_000), ("eyJ" * 40_000, 0), ("eyJaaaaaaaa." * 20_000, None)]
)
def test_work_does_not_grow_faster_than_the_text(text: str, count: int | None) -> None:
    """In time of the processor, which other work does not add to; what grows with the square would take many minutes."""
    began = time.process_time()
    found = sum(1 for _ in find_secrets(text))
    assert count is None or found == count
    assert time.process_time() - began < 20
