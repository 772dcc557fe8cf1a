"""Nearest examples by shared words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput
from chapeta.examples.nearest import Nearest
from chapeta.types import Example, Message, Retriever


def pool(*texts: str) -> list[Example]:
    return [Example((Message("user", text),), "a", line=i) for i, text in enumerate(texts)]


def picked(nearest: Retriever, question: str) -> list[str]:
    return [example.question for example in nearest.pick(question)]


SHOP = pool("where is my parcel", "I want a refund", "the parcel is broken", "thank you so much", "wo ist mein Paket?")


def test_the_most_similar_stands_last() -> None:
    assert picked(Nearest(SHOP, 2), "Where is the PARCEL now, my friend?")[-1] == "where is my parcel"
    assert picked(Nearest(SHOP, 1), "Paket") == ["wo ist mein Paket?"]


@pytest.mark.parametrize("question", ["zebra", "", "?!"])
def test_without_a_shared_word_the_first_are_taken(question: str) -> None:
    assert picked(Nearest(SHOP, 2), question) == ["I want a refund", "where is my parcel"]


def test_equals_come_in_the_order_of_the_pool() -> None:
    same = pool("other words", "top up", "top up", "top up")
    assert [example.line for example in Nearest(same, 2).pick("top up")] == [2, 1]


def test_small_and_wordless_pools() -> None:
    assert picked(Nearest(pool("only one"), 5), "anything") == ["only one"]
    assert picked(Nearest(pool("!!!", "???"), 1), "what") == ["!!!"]
    with pytest.raises(BadInput):
        Nearest([], 3)
    with pytest.raises(BadInput):
        Nearest(SHOP, 0)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=12), min_size=1, max_size=8), question=st.text(max_size=12), k=st.integers(1, 9))
def test_always_k_of_the_pool_and_always_the_same(texts: list[str], question: str, k: int) -> None:
    examples = pool(*texts)
    found = Nearest(examples, k).pick(question)
    assert len(found) == len({example.line for example in found}) == min(k, len(texts))
    assert found == Nearest(examples, k).pick(question)


def test_it_is_silent() -> None:
    code = (
        "import logging; logging.basicConfig(level=logging.DEBUG)\n"
        "from chapeta.examples.nearest import Nearest\n"
        "from chapeta.types import Example, Message\n"
        "Nearest([Example((Message('user', 'a b'),), 'x')], 1).pick('a')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
