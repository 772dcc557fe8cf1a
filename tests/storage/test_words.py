"""Words: folded place by place, bounded, and never an operator of a query."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chapeta.storage import words

TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)


@given(TEXTS)
def test_folding_keeps_every_place(text: str) -> None:
    whole = words.composed(text)
    assert len(words.fold(whole)) == len(whole)


@given(TEXTS)
def test_words_hold_nothing_that_a_query_could_take_for_more(text: str) -> None:
    for word in (*words.words(text), *(word.removesuffix("*") for word in words.asked(text))):
        assert 0 < len(word) <= words.MOST_WORD
        assert not set(word) & set(" \t\n\0\"'\\:*&|!()<>^+-{}_%")


@given(TEXTS)
def test_what_is_asked_with_a_text_is_in_the_text(text: str) -> None:
    found = set(words.words(text))
    for word in words.asked(text):
        assert word in found or (word.endswith("*") and any(one.startswith(word[:-1]) for one in found))


def test_words_are_as_people_write_them() -> None:
    assert list(words.words("Über x86_64, don't; Ｆｕｌｌ")) == ["uber", "x86", "64", "don", "t", "full"]
    assert list(words.words("世界和 हिन्दी")) == ["世界", "界和", "和", "हिन्दी"]
    assert words.asked("世界和 a") == ["世界", "界和", "a*"]
    assert words.asked("和") == ["和*"]
    assert len(words.asked("word" + " w".join(map(str, range(1000))))) == words.MOST_ASKED
    assert max(map(len, words.words("x" * 1000))) == words.MOST_WORD
