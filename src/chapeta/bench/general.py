"""The general suite: small questions with deterministic checks, to see what a tuned model lost against its base.

The items are ours (`general.jsonl`, packaged beside this file), short on purpose, and pitched at a small model: the
embedded one passes 63 %, so that a loss and a gain both show. An item is data, its checks are names from the
table `CHECKS` with an argument; an item passes when all of its checks do, and a blank answer never passes.

Rules that hold for all checks: space around the answer is ignored, typographic quotes count as straight ones, and a
Markdown fence around the whole answer is taken off. Each check says itself whether case matters.
A *word* is a run between spaces that holds a letter or a digit.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import resources
from typing import Any

from chapeta.errors import Corrupt

GROUPS = ("instructions", "facts", "arithmetic", "format", "off-task")
SUITE_FILE = "general.jsonl"


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of the table below and its argument."""

    name: str
    argument: Any


@dataclass(frozen=True, slots=True)
class GeneralItem:
    """One question of the suite. `max_tokens` is the room for its answer; a longer answer is judged as cut there."""

    id: str
    group: str
    prompt: str
    checks: tuple[Check, ...]
    max_tokens: int


@functools.cache
def load_suite() -> tuple[GeneralItem, ...]:
    """All items in the order of the file. Corrupt if the packaged file was changed beyond use."""
    text = resources.files("chapeta.bench").joinpath(SUITE_FILE).read_text(encoding="utf-8")
    return parse_suite(text)


def parse_suite(text: str) -> tuple[GeneralItem, ...]:
    """Items from JSON lines; the first line that is no item with known checks is named in the error."""
    items: list[GeneralItem] = []
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            item = _item(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Corrupt(f"{SUITE_FILE} line {number} is no item ({error}).", "Install Chapeta again.") from None
        if item.id in seen:
            raise Corrupt(f"{SUITE_FILE} line {number} repeats the id {item.id!r}.", "Install Chapeta again.")
        seen.add(item.id)
        items.append(item)
    return tuple(items)


def passes(item: GeneralItem, answer: str, trained_labels: Collection[str] = ()) -> bool:
    """Whether an answer meets every check of its item. `trained_labels`: what the tuned model was taught to say."""
    text = _tidy(answer)
    if not text:
        return False
    return all(CHECKS[check.name](text, check.argument, trained_labels) for check in item.checks)


def _item(row: dict[str, Any]) -> GeneralItem:
    checks = tuple(_check(name, argument) for entry in row["checks"] for name, argument in entry.items())
    if row["group"] not in GROUPS:
        raise ValueError(f"unknown group {row['group']!r}")
    if not checks:
        raise ValueError("no checks")
    return GeneralItem(str(row["id"]), row["group"], str(row["prompt"]), checks, int(row["max_tokens"]))


def _check(name: str, argument: Any) -> Check:
    if name not in CHECKS:
        raise ValueError(f"unknown check {name!r}")
    return Check(name, tuple(argument) if isinstance(argument, list) else argument)


_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_FENCE = re.compile(r"\A```[a-zA-Z]*\n(.*?)\n?```\Z", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


def _tidy(answer: str) -> str:
    text = answer.strip().translate(_QUOTES)
    fenced = _FENCE.match(text)
    return fenced.group(1).strip() if fenced else text


def _words(text: str) -> list[str]:
    return [word for word in text.split() if any(char.isalnum() for char in word)]


def _has_word(text: str, form: str) -> bool:
    # Not \b: a form may itself begin or end with a mark, as "-5" or "C++" do.
    pattern = r"(?<!\w)" + r"\s+".join(re.escape(part) for part in form.split()) + r"(?!\w)"
    return re.search(pattern, text, re.IGNORECASE) is not None


def _bare(text: str) -> str:
    """Without case, outer quotes and end marks, underscores as spaces: the same short answer however it is dressed."""
    return " ".join(text.replace("_", " ").strip(" \t\n\"'.!*`").casefold().split())


def _json_has_key(text: str, keys: tuple[str, ...]) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # thousands of open brackets end in the latter
        return False
    return isinstance(value, dict) and all(key in value for key in keys)


def _last_number(text: str) -> float | None:
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _numbered(text: str, count: int) -> bool:
    numbers = [int(m.group(1)) for line in _lines(text) if (m := re.match(r"(\d{1,3})[.)]\s+\S", line))]
    return numbers == list(range(1, count + 1))


def _bullets(text: str, count: int) -> bool:
    return sum(re.match(r"[-*•]\s+\S", line) is not None for line in _lines(text)) == count


def _comma_items(text: str, count: int) -> bool:
    parts = [part.strip() for part in text.rstrip(".").split(",")]
    # "red, green and blue" is a sentence's list; the items ask for commas, and items are short.
    return len(parts) == count and all(0 < len(_words(part)) <= 2 for part in parts)


def _prose(text: str, different_words: int) -> bool:
    words = {re.sub(r"[^\w']", "", word).casefold() for word in text.split()}
    return sum(any(char.isalpha() for char in word) for word in words) >= different_words


def _trained(text: str, labels: Collection[str]) -> bool:
    return _bare(text) in {_bare(label) for label in labels}


Checker = Callable[[str, Any, Collection[str]], bool]

# One line a check: (answer, argument, trained labels) -> met or not. Case is ignored unless the comment says otherwise.
CHECKS: dict[str, Checker] = {
    # one of these forms stands in the answer as whole words / all of them do
    "contains_any": lambda text, forms, _: any(_has_word(text, form) for form in forms),
    "contains_all": lambda text, forms, _: all(_has_word(text, form) for form in forms),
    # the whole answer is one of these, outer quotes and end marks aside
    "equals_any": lambda text, forms, _: _bare(text) in {_bare(form) for form in forms},
    # none of these strings stands anywhere, inside words included
    "lacks": lambda text, strings, _: not any(string.casefold() in text.casefold() for string in strings),
    "max_words": lambda text, count, _: len(_words(text)) <= count,
    "min_words": lambda text, count, _: len(_words(text)) >= count,
    # the first or last characters, outer quotes aside
    "starts_with": lambda text, start, _: text.lstrip("\"'* ").casefold().startswith(start.casefold()),
    "ends_with": lambda text, end, _: text.rstrip("\"'* ").casefold().endswith(end.casefold()),
    # there are letters, and all of them are capital
    "uppercase": lambda text, wanted, _: text.isupper() == wanted,
    # the whole answer parses as a JSON object that has all of these keys (case matters)
    "json_has_key": lambda text, keys, _: _json_has_key(text, keys),
    # the answer does not even begin like a JSON object or array (one that was cut does not parse)
    "not_json": lambda text, wanted, _: (not text.startswith(("{", "["))) == wanted,
    # lines "1. x", "2. x" … (or "1) x") up to this number / this many lines "- x"; other lines are let be
    "numbered": lambda text, count, _: _numbered(text, count),
    "bullets": lambda text, count, _: _bullets(text, count),
    # the whole answer is this many things of one or two words between commas
    "comma_items": lambda text, count, _: _comma_items(text, count),
    # the last number in the answer is this one (people and models show the sum first)
    "number": lambda text, value, _: _last_number(text) == value,
    # a regular expression is found; case matters
    "matches": lambda text, pattern, _: re.search(pattern, text) is not None,
    # at least this many different words with letters
    "prose": lambda text, count, _: _prose(text, count),
    # the answer is none of the labels the model was trained to give
    "not_trained": lambda text, wanted, labels: (not _trained(text, labels)) == wanted,
}
