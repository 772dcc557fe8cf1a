"""Words that tell values apart, found by weighted log-odds with an informative Dirichlet prior.

Source of the statistic: Monroe, Colaresi and Quinn, "Fightin' Words" (Political Analysis 2008), on the share of
messages that contain a word. There is no list of stop words: a word that is common everywhere has log-odds near 0,
whatever the language.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PRIOR_MESSAGES = 5.0
MOSTLY = 0.8
MIN_Z = 2.6
MIN_LIFT = 2.5
MIN_MESSAGES = 3
MAX_FEATURES_A_MESSAGE = 400
SIGNS = {"?": "a question mark", "!": "an exclamation mark", "¤": "a sum of money"}

# A Chinese or Japanese character counts as a word: these scripts put no spaces, and pairs of characters become bigrams.
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]+(?:['’][^\W\d_]+)*|[£€$¥]|[?!]|[.,;:()\n\"“”„»«—]|\d+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Cue:
    """A word or phrase that speaks for a value.

    strength: log of how many times more often it stands inside than outside; messages: how many inside have it.
    """

    text: str
    strength: float
    messages: int


def features(text: str) -> frozenset[str]:
    """The words, pairs of neighbouring words and telling signs of a message, in lower case; each counts once."""
    found: set[str] = set()
    before = ""
    for token in _TOKEN.findall(text[:20_000].lower()):
        if token in "£€$¥":
            token = "¤"
        if token in SIGNS:
            found.add(token)
            before = ""
        elif token[0].isalpha():
            cjk = bool(_CJK.match(token))
            if not cjk and (len(token) > 1 or token in "iauyoeà"):
                found.add(token)
            if before:
                found.add(before + token if cjk and _CJK.match(before) else f"{before} {token}")
            before = token
        else:
            before = ""
        if len(found) >= MAX_FEATURES_A_MESSAGE:
            break
    return frozenset(found)


def cues_by_value(
    messages: Sequence[frozenset[str]], labels: Sequence[frozenset[str]], values: Sequence[str], limit: int
) -> dict[str, tuple[Cue, ...]]:
    """For each value up to `limit` cues: words that stand in its messages clearly more often than in all the others.

    messages: the features of each message; labels: its values in one field (none: the message is left out).
    """
    known = [(message, own) for message, own in zip(messages, labels, strict=True) if own]
    everywhere = Counter(feature for message, _ in known for feature in message)
    found = {}
    for value in values:
        inside = [message for message, own in known if value in own]
        found[value] = _covering(inside, _significant(inside, everywhere, len(known)), limit)
    return found


def quoted(found: Iterable[Cue]) -> str:
    """Cues in words for a reader: `"parcel", "tracking", a question mark`."""
    return ", ".join(SIGNS.get(cue.text, f'"{cue.text}"') for cue in found)


def _covering(inside: Sequence[frozenset[str]], found: dict[str, Cue], limit: int) -> tuple[Cue, ...]:
    """The strongest cues that together stand in as many of the messages as possible."""
    chosen: list[Cue] = []
    uncovered = list(inside)
    while found and len(chosen) < limit:
        # A cue that only repeats what the chosen ones cover is worth a quarter of a new one.
        new = Counter(feature for message in uncovered for feature in message if feature in found)
        best = max(found.values(), key=lambda cue: (cue.strength**2 * (new[cue.text] + cue.messages / 4), cue.text))
        chosen.append(best)
        uncovered = [message for message in uncovered if best.text not in message]
        found = {text: cue for text, cue in found.items() if not _same(text, best.text)}
    return tuple(chosen)


def _significant(inside: Sequence[frozenset[str]], everywhere: Counter[str], n_all: int) -> dict[str, Cue]:
    """The features that stand inside clearly more often than outside, and more often than chance would have it."""
    n_in, n_out = len(inside), n_all - len(inside)
    found: dict[str, Cue] = {}
    if not n_in or not n_out:
        return found
    counts = Counter(feature for message in inside for feature in message)
    length_in, length_out = counts.total() / n_in, (everywhere.total() - counts.total()) / n_out
    # Longer messages have more of every word; only what goes beyond that speaks for the value.
    min_lift = MIN_LIFT * max(1.0, length_in / max(length_out, 1e-9))
    for text, k_in in counts.items():
        k_out = everywhere[text] - k_in
        if k_in < MIN_MESSAGES or k_in * n_out < min_lift * k_out * n_in:
            continue
        log_odds, error = _log_odds(k_in, n_in, k_out, n_out)
        if log_odds >= MIN_Z * error:
            found[text] = Cue(text, log_odds, k_in)
    pairs = [cue for cue in found.values() if " " in cue.text]
    for pair in pairs:
        # "apple pay" says more than "apple" if it is nearly always there; else the single word is enough.
        for part in pair.text.split(" "):
            if part in found and pair.messages >= MOSTLY * found[part].messages:
                del found[part]
    return {t: c for t, c in found.items() if " " not in t or not any(p in found for p in t.split(" "))}


def _log_odds(k_in: int, n_in: int, k_out: int, n_out: int) -> tuple[float, float]:
    """The log-odds ratio and its standard error; the prior is worth `PRIOR_MESSAGES` messages of the whole corpus."""
    share = (k_in + k_out) / (n_in + n_out)
    prior_yes, prior_no = PRIOR_MESSAGES * share, PRIOR_MESSAGES * (1 - share) + 1e-9
    yes_in, yes_out = k_in + prior_yes, k_out + prior_yes
    odds_in = math.log(yes_in / (n_in - k_in + prior_no))
    odds_out = math.log(yes_out / (n_out - k_out + prior_no))
    return odds_in - odds_out, math.sqrt(1 / yes_in + 1 / yes_out)


def _same(one: str, other: str) -> bool:
    """Whether a reader would call two cues the same word: equal, one inside the other, or a common stem."""
    words_one, words_other = one.split(" "), other.split(" ")
    if set(words_one) & set(words_other):
        return True
    return any(_stem(a) == _stem(b) for a in words_one for b in words_other if min(len(a), len(b)) >= 4)


def _stem(word: str) -> str:
    return word[: max(4, len(word) - 2)] if len(word) > 5 else word[:4]
