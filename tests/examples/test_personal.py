"""Secrets and personal data are pointed out with their place. Numbers are the published specimen numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.examples.personal import MOST_PLACES, point_out
from chapeta.examples.secrets import find_secrets
from chapeta.types import Message


def test_each_finding_has_its_turn_and_characters() -> None:
    messages = (
        Message("system", "Be kind."),
        Message("user", "I am jane.doe@mail.example.org, call +49 30 1234567 or pay DE89 3704 0044 0532 0130 00."),
    )
    answer = "Your card 4111 1111 1111 1111 was used at 192.168.10.25 with sk-proj-abcdefghijklmnopqrstuvwx"
    texts = (*(message.content for message in messages), answer)
    found = [
        (place.kind, place.turn, texts[place.turn][place.start : place.end]) for place in point_out(messages, answer)
    ]
    assert found == [
        ("e-mail", 1, "jane.doe@mail.example.org"),
        ("phone", 1, "+49 30 1234567"),
        ("IBAN", 1, "DE89 3704 0044 0532 0130 00"),
        ("payment card", 2, "4111 1111 1111 1111"),
        ("IP address", 2, "192.168.10.25"),
        ("API key", 2, "sk-proj-abcdefghijklmnopqrstuvwx"),
    ]


def test_wrong_checksums_and_plain_numbers_are_left_alone() -> None:
    assert (
        point_out((Message("user", "card 4111 1111 1111 1112, GB28NWBK60161331926819, order 1234567"),), "v1.2.3") == ()
    )


def test_values_are_masked() -> None:
    (place,) = point_out((), "4111 1111 1111 1111")
    assert place.value == "41…11"


def test_a_flood_is_cut() -> None:
    assert len(point_out((), "a@example.org " * 5_000)) == MOST_PLACES


@settings(max_examples=100, deadline=1000)
@given(st.text(st.sampled_from("0123456789 .-+()@:aAeyJsk_/\n"), max_size=300))
def test_it_finds_what_the_check_finds(text: str) -> None:
    found = point_out((), text)
    assert sorted((one.kind, one.value) for one in found) == sorted((one.kind, one.value) for one in find_secrets(text))
