"""Distinctive words: which are found, which are not, and in which form."""

from __future__ import annotations

import math

from chapeta.skills.words import cues_by_value, features, quoted

BILLING = ["the invoice is wrong", "the invoice came twice", "I was charged £5 by the shop", "charged £9 for nothing"]
DELIVERY = ["the parcel is late", "where is the parcel", "the parcel came wet", "my parcel is at the shop"]


def found(texts: dict[str, list[str]], limit: int = 4) -> dict[str, str]:
    messages = [features(text) for group in texts.values() for text in group]
    labels = [frozenset({value}) for value, group in texts.items() for _ in group]
    return {value: quoted(cues) for value, cues in cues_by_value(messages, labels, list(texts), limit).items()}


def test_features_are_words_pairs_and_signs_in_lower_case() -> None:
    assert features("Where's my £5?") == {"where's", "my", "where's my", "¤", "?"}
    assert features("one, two") == {"one", "two"}  # no pair across a comma
    assert features("包裹在哪") == {"包裹", "裹在", "在哪"}


def test_what_is_common_everywhere_is_no_cue_and_what_is_rare_elsewhere_is() -> None:
    cues = found({"billing": BILLING * 4, "delivery": DELIVERY * 4})
    assert cues["delivery"].startswith('"parcel"') or '"the parcel"' in cues["delivery"]
    assert "invoice" in cues["billing"]
    assert "a sum of money" in cues["billing"] or "charged" in cues["billing"]
    assert '"the"' not in cues["billing"] + cues["delivery"]


def test_little_words_of_a_language_are_cues_of_that_language_only() -> None:
    german = ["ich habe das nicht", "ich will das heute", "wann kommt das denn", "ich warte auf das Paket"] * 3
    english = ["I want the thing", "when is the thing coming", "the thing is late", "give me the thing"] * 3
    cues = found({"de": german, "en": english})
    assert '"das"' in cues["de"] or '"ich' in cues["de"]
    assert "ich" not in cues["en"]


def test_a_pair_replaces_its_words_if_they_nearly_always_stand_together() -> None:
    cues = found(
        {"apple": ["apple pay fails", "apple pay is off", "use apple pay"] * 3, "x": ["cash fails", "use cash"] * 5}
    )
    assert cues["apple"] == '"apple pay"'


def test_chance_gives_no_cues() -> None:
    texts = [f"word{chr(97 + i % 13)} and other{chr(97 + i % 7)}" for i in range(40)]
    assert found({"a": texts[:20], "b": texts[20:]}) == {"a": "", "b": ""}


def test_longer_messages_alone_make_no_cue() -> None:
    cues = found(
        {"long": ["and so and this or that but then if when"] * 8, "short": ["and so", "but then", "if when"] * 3}
    )
    assert '"and"' not in cues["long"]


def test_one_value_only_or_no_messages_give_nothing() -> None:
    assert found({"a": BILLING}) == {"a": ""}
    assert cues_by_value([], [], ["a"], 3) == {"a": ()}


def test_strength_is_the_smoothed_log_odds_ratio() -> None:
    # 8 of 10 inside, 1 of 10 outside; the prior adds 5 messages with the word's overall share of 9/20.
    messages = [features("parcel")] * 8 + [features("lamp")] * 2 + [features("parcel")] + [features("lamp")] * 9
    labels = [frozenset({"in"})] * 10 + [frozenset({"out"})] * 10
    (cue,) = cues_by_value(messages, labels, ["in"], 3)["in"]
    yes, no = 5 * 9 / 20, 5 * 11 / 20
    assert math.isclose(cue.strength, math.log((8 + yes) / (2 + no)) - math.log((1 + yes) / (9 + no)), rel_tol=1e-6)
    assert (cue.text, cue.messages) == ("parcel", 8)
