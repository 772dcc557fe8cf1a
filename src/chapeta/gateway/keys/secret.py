"""A key in memory: a value that does not show itself, and what a user pasted made into one."""

from __future__ import annotations

import hmac
import re
from typing import NoReturn

from chapeta.errors import BadInput

MOST_CHARACTERS = 4096
ECHO_CHARACTERS = 16  # as long a piece would help to guess the rest; providers show shorter ones themselves

_PREFIX = re.compile(r"(?:[A-Za-z]{1,5}[-_]){0,2}")
_ASSIGNMENT = re.compile(r"(?:export\s+|set\s+|\$env:)?[A-Z][A-Z0-9]*_[A-Z0-9_]*\s*[=:]\s*(?=[^=]|$)")
_SCHEME = re.compile(r"(?:authorization\s*:\s*)?bearer\s+|(?:authorization|x-api-key)\s*:\s*", re.IGNORECASE)
_QUOTES = ("''", '""', "``", "“”", "‘’")
_INVISIBLE = (
    "\ufeff\u200b\u200c\u200d\u2060"  # what a copy from a web page or a pipe from PowerShell leaves at the ends
)
_KNOWN_KEYS = ("sk-", "sk_", "gsk_", "xai-", "hf_", "tgp_", "fw_", "AIza", "key-", "key_", "pplx-", "csk-", "nvapi-")


class Secret:
    """A key. Printing, formatting and logging show its mask; only `reveal` gives the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends or stores it."""
        return self._value

    @property
    def mask(self) -> str:
        """The kind of key and its last four characters, `sk-or-…4f2a`; shorter values show nothing."""
        match = _PREFIX.match(self._value)
        prefix = match.group() if match else ""
        return f"{prefix}…{self._value[-4:]}" if len(self._value) - len(prefix) >= 16 else "…"

    def scrub(self, text: str) -> str:
        """The text without the key, and without words that hold a longer piece of it, as errors of a provider may."""
        if len(self._value) <= 3:  # no key, and found in any word
            return text
        text = text.replace(self._value, self.mask)
        last = max(1, len(self._value) - ECHO_CHARACTERS + 1)
        pieces = [self._value[i : i + ECHO_CHARACTERS] for i in range(last)]
        return re.sub(
            r"\S+", lambda word: "…" if any(piece in word.group() for piece in pieces) else word.group(), text
        )

    def __repr__(self) -> str:
        return f"Secret({self.mask})"

    def __str__(self) -> str:
        return self.mask

    def __format__(self, spec: str) -> str:
        return format(self.mask, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not pickled: it would leave this process.")


def secret_of(pasted: str, where: str = "The key") -> Secret:
    """The key in what a user pasted: `Bearer …`, `OPENROUTER_API_KEY="…"` and white space around it are taken off.

    `where` begins the sentence of an error. Raises BadInput, which never tells the value.
    """
    value = _bare(pasted)
    if not value:
        raise BadInput(f"{where} is empty.", "Copy it again from the provider's page.")
    if len(value) > MOST_CHARACTERS:
        raise BadInput(f"{where} has {len(value)} characters; no key is that long.", "Copy the key alone.")
    for place, character in enumerate(value, 1):
        if not "!" <= character <= "~":
            kind = "white space" if character.isspace() else "a control character"
            kind = kind if character.isascii() else f"a character that no key has (U+{ord(character):04X})"
            raise BadInput(f"{where} has {kind} inside, at character {place}.", "Copy it again, the key alone.")
    return Secret(value)


def looks_like_key(word: str) -> bool:
    """Whether a word of the command line is more likely a key than a name, so that it must not be shown."""
    known = word.startswith(_KNOWN_KEYS) and len(word) >= 16
    runs = re.findall(r"(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{12,}", word)
    return known or len(word) > 64 or (len(word) >= 20 and any(sum(c.isdigit() for c in run) >= 4 for run in runs))


def shown(word: str) -> str:
    """A word of the command line in quotes for an error, unless it may be a key."""
    return "that (it looks like a key)" if looks_like_key(word) else f"'{word[:80]}'"


def without_keys(text: str) -> str:
    """A text that quotes the command line, without the words that may be keys."""
    return re.sub(r"[^\s'\"=,:]+", lambda word: "…" if looks_like_key(word.group()) else word.group(), text)


def _bare(text: str) -> str:
    """Without what people copy along with a key, from the outside in."""
    before = None
    while before != text:
        before = text
        text = text.strip().strip(_INVISIBLE).removesuffix(";").removesuffix(",")
        if len(text) >= 2 and text[0] + text[-1] in _QUOTES:
            text = text[1:-1]
        for lead in (_ASSIGNMENT, _SCHEME):
            match = lead.match(text)
            text = text[match.end() :] if match else text
    return text
