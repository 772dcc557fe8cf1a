"""A key in memory: what it shows, what a paste is made into, and what is never said again."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback

import pytest

from chapeta.errors import BadInput
from chapeta.gateway.keys.secret import Secret, looks_like_key, secret_of, shown, without_keys

KEY = "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"


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        (KEY, "sk-or-…1c96"),
        ("sk-proj-abcDEF0123456789abcd", "sk-proj-…abcd"),
        ("gsk_0123456789abcdef", "gsk_…cdef"),
        ("AIzaSyA0123456789abcdefghij", "…ghij"),
        ("sk-or-123456789012345", "…"),
        ("short", "…"),
        ("", "…"),
    ],
)
def test_the_mask_shows_kind_and_end_of_long_keys_only(value: str, mask: str) -> None:
    assert Secret(value).mask == mask


def test_a_secret_shows_itself_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    @dataclasses.dataclass
    class Holder:
        secret: Secret

    secret = Secret(KEY)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").warning("%s %r", secret, [secret])
    told = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{secret!r}",
        f"{secret:s}",
        repr({"k": secret}),
    ]
    told += [repr(Holder(secret)), repr(dataclasses.asdict(Holder(secret))), repr(copy.deepcopy(secret)), caplog.text]
    for call in (pickle.dumps, json.dumps, vars):
        with pytest.raises(TypeError) as caught:
            call(secret)
        told += traceback.format_exception(caught.value)
    assert not any(KEY in text or KEY[9:30] in text for text in told)
    assert secret.reveal() == KEY
    assert secret == Secret(KEY) and secret != Secret("other") and secret != KEY
    assert len({secret, Secret(KEY)}) == 1


def test_words_of_a_provider_are_freed_of_the_key_and_of_pieces_of_it() -> None:
    secret = Secret(KEY)
    assert secret.scrub(f"Bad key {KEY}, sorry") == "Bad key sk-or-…1c96, sorry"
    assert secret.scrub(f"Bad key {KEY[:30]}*** at https://x.org/?key={KEY[20:50]}&a=1") == "Bad key … at …"
    assert secret.scrub("Missing Authentication header") == "Missing Authentication header"
    assert Secret("x").scrub("exact") == "exact"


@pytest.mark.parametrize(
    "pasted",
    [
        KEY,
        f"  {KEY}\r\n",
        f"\ufeff{KEY}\u200b",
        f"Bearer {KEY}",
        f"Authorization: Bearer {KEY}",
        f"x-api-key: {KEY}",
        f"OPENROUTER_API_KEY={KEY}",
        f'export OPENROUTER_API_KEY="{KEY}"',
        f"$env:OPENROUTER_API_KEY = '{KEY}';",
        f"“{KEY}”",
        f"`{KEY}`,",
    ],
)
def test_what_is_copied_along_is_taken_off(pasted: str) -> None:
    assert secret_of(pasted).reveal() == KEY


def test_a_key_that_ends_like_an_assignment_stays_whole() -> None:
    for key in ("QUJD_REVGR0hJSktMTU5PUA==", "abcDEF==", "A_B==="):
        assert secret_of(key).reveal() == key


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('""', "is empty"),
        ("OPENROUTER_API_KEY=", "is empty"),
        (f"{KEY} {KEY}", "white space"),
        (f"{KEY[:20]}\x1b[0m{KEY[20:]}", "control character"),
        (f"{KEY[:20]}…", "U+2026"),
        (f"sk-or-ключ-{KEY}", "U+043A"),
        (KEY * 100, "characters"),
    ],
)
def test_what_is_no_key_is_refused_without_saying_it(pasted: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        secret_of(pasted, "The variable X")
    assert why in str(caught.value) and str(caught.value).startswith("The variable X ")
    assert KEY[:12] not in str(caught.value)


def test_keys_are_told_from_names() -> None:
    keys = [KEY, "sk-proj-abcdefghij", "gsk_0123456789abcdef", "AIzaSyA0123456789abcdefghij", "0123456789abcdef" * 4]
    keys += ["5f1e2d3c-1111-2222-3333-0a1b2c3d4e5f"]
    names = ["openrouter", "my-server", "gpu-server-2026-11-22", "support-triage-of-the-northern-office", "vllm2"]
    assert [looks_like_key(word) for word in keys] == [True] * len(keys)
    assert [looks_like_key(word) for word in names] == [False] * len(names)
    assert KEY not in shown(KEY) and shown("openrutre") == "'openrutre'"
    assert without_keys(f"unrecognized arguments: --api_key={KEY} {KEY} --x") == (
        "unrecognized arguments: --api_key=… … --x"
    )
