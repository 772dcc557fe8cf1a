"""Secrets and personal data in a text, by shape: what should not be trained into a model or sent to a provider.

Findings are warnings: shapes are not proof. Checksums (IBAN mod 97, payment cards by Luhn) keep false alarms low.
Values are masked before they leave this file.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in a row. `value` is masked: its first and last two characters."""

    kind: str
    line: int
    value: str


def find_secrets(text: str, line: int = 0) -> Iterator[Finding]:
    """Each finding in the text. A cheap look comes first: most texts hold none."""
    for likely, shapes in SHAPES:
        if likely(text):
            for kind, match in matches(text, shapes, bytearray(len(text))):
                yield Finding(kind, line, masked(match.group()))


def matches(text: str, shapes: Sequence[Shape], taken: bytearray) -> Iterator[tuple[str, re.Match[str]]]:
    """What has one of these shapes, the first of them first, each with its kind; none lies upon another.

    taken: a byte for each character of the text, not 0 where something was found already; what is found is added.
    """
    for kind, pattern, accept in shapes:
        for match in pattern.finditer(text):
            start, end = match.span()
            if taken.find(FOUND, start, end) < 0 and (accept is None or accept(match.group())):
                taken[start:end] = FOUND * (end - start)
                yield kind, match


def masked(value: str) -> str:
    """Enough to find the value in its row, too little to use it."""
    return f"{value[:2]}…{value[-2:]}" if len(value) >= 8 else "…"


def luhn(number: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1) over 13 to 19 digits, as payment cards carry it."""
    digits = [int(character) for character in number if character.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit if i % 2 == 0 else sum(divmod(2 * digit, 10)) for i, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def iban(text: str) -> bool:
    """The checksum of ISO 13616: first four characters to the end, letters as numbers, remainder 1 by 97."""
    compact = "".join(text.split()).upper()
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def _address(text: str) -> bool:
    """An IP address of a machine: not loopback, not unspecified, and not code (std::x) that happens to parse."""
    if ":" in text and sum(1 for part in text.split(":") if part) < 3:
        return False
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _phone(text: str) -> bool:
    return 8 <= sum(character.isdigit() for character in text) <= 15


FOUND = b"\1"
_MANY_DIGITS = re.compile(r"[0-9][0-9 .()/-]{5,}[0-9]")


def _digits(text: str) -> bool:
    return _MANY_DIGITS.search(text) is not None


def _long_word(text: str) -> bool:
    return len(text) >= 14 and max(map(len, text.split()), default=0) >= 14


_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:[a-z]+-)*[A-Za-z0-9_-]{20,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|gh[pos]_[A-Za-z0-9]{36,}"
    r"|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}|A[KS]IA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{30,})"
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[^\W\d_]{2,24}")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ ./-]?(?:\(\d{1,4}\)|\d{1,4})(?:[ ./-]?\d{2,4}){1,5}"
    r"|\(\d{3,5}\) ?\d{3,4}[ -]?\d{3,4}|\d{3}[-.]\d{3}[-.]\d{4}|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5})(?!\w)"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}")
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----")

Look = Callable[[str], bool]
Shape = tuple[str, re.Pattern[str], Look | None]
# groups of shapes, each with the cheap look that tells whether a text is worth searching for them
SHAPES: tuple[tuple[Look, tuple[Shape, ...]], ...] = (
    (lambda text: "@" in text, (("e-mail", _EMAIL, None),)),
    (
        _digits,
        (
            ("IBAN", _IBAN, iban),
            ("payment card", _CARD, luhn),
            ("IP address", _IPV4, _address),
            ("phone", _PHONE, _phone),
        ),
    ),
    (lambda text: text.count(":") > 1, (("IP address", _IPV6, _address),)),
    (_long_word, (("API key", _KEYS, None), ("access token", _TOKEN, None))),
    (lambda text: "PRIVATE KEY" in text, (("private key", _PRIVATE_KEY, None),)),
)
