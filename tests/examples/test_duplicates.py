"""Near duplicates against a direct computation of every pair's similarity."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.examples.duplicates import Similar, clusters_of, comparable, evened, similarities
from chapeta.types import Example, Message


def shingles(text: str) -> set[str]:
    padded = text.ljust(5)
    return {padded[i : i + 5] for i in range(len(padded) - 4)}


def jaccard(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def direct_clusters(texts: list[str]) -> list[int]:
    """Single linkage over all pairs, by hand."""
    cluster = list(range(len(texts)))
    sets = [shingles(text) for text in texts]
    for i in range(len(texts)):
        for j in range(i):
            if cluster[i] != cluster[j] and len(sets[i] & sets[j]) >= 0.8 * len(sets[i] | sets[j]):
                old, new = max(cluster[i], cluster[j]), min(cluster[i], cluster[j])
                cluster = [new if c == old else c for c in cluster]
    return cluster


def found_clusters(texts: list[str]) -> list[int]:
    similar = Similar()
    for text in texts:
        similar.add(text)
    found: list[int] = similar.clusters().tolist()
    return found


def noisy_texts(seed: int, count: int) -> list[str]:
    """Sentences of which many are another one with some words changed."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(200)]
    texts = [" ".join(draw.choices(words, k=draw.randint(1, 25))) for _ in range(count // 2)]
    while len(texts) < count:
        changed = draw.choice(texts).split()
        for _ in range(draw.randint(0, 2)):
            changed[draw.randrange(len(changed))] = draw.choice(words)
        texts.append(" ".join(changed))
    draw.shuffle(texts)
    return texts


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_clusters_equal_the_direct_computation(seed: int) -> None:
    texts = noisy_texts(seed, 100)
    assert found_clusters(texts) == direct_clusters(texts)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=30), max_size=12))
def test_any_text_can_be_compared(texts: list[str]) -> None:
    assert found_clusters(texts) == direct_clusters(texts)


@pytest.mark.parametrize("rows", [6_000, 51_000])
def test_large_sets_find_planted_pairs_and_nothing_else(rows: int) -> None:
    """Above 5,000 and 50,000 rows the bands are narrower; pairs of about 0.9 are still all but certain to be found."""
    draw = random.Random(rows)
    texts = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=60)) for _ in range(rows)]
    planted = {}
    for original in range(0, 400, 2):
        copy = rows - 1 - original
        texts[copy] = texts[original][:-2] + "ZZ"
        planted[copy] = original
    assert jaccard(texts[0], texts[rows - 1]) == pytest.approx(54 / 58)
    clusters = found_clusters(texts)
    assert {i: c for i, c in enumerate(clusters) if c != i} == planted


def test_short_questions_that_differ_in_a_word_stay_apart() -> None:
    rows = [
        Example((Message("user", text),), "a") for text in ("How do I top up?", "How can I top up?", "how do i TOP up")
    ]
    assert jaccard("how do i top up", "how can i top up") == pytest.approx(5 / 18)
    assert clusters_of(rows).tolist() == [0, 1, 0]


def test_case_signs_and_long_numbers_do_not_count_but_short_numbers_do() -> None:
    assert evened("Where is  ORDER #123456?!") == evened("where is order 987654321")
    assert evened("I paid 20 euros") != evened("I paid 30 euros")
    assert evened("12 + 30 =") != evened("12 - 30 =")
    assert evened("What is 12 + 30?") != evened("What is 12 * 30?")
    assert evened("((()") != evened("(()(")
    assert evened("Où est-il, déjà ?") == evened("où est il déjà")
    assert evened("12345678") != evened("87654321")


def test_a_shared_system_prompt_does_not_make_rows_alike_and_another_one_keeps_them_apart() -> None:
    prompt = "You are the support assistant of a shop and answer in one word. " * 5
    rows = [
        Example((Message("system", prompt), Message("user", "Where is my parcel?")), "a"),
        Example((Message("system", prompt), Message("user", "Stop my contract")), "b"),
        Example((Message("system", "Another document."), Message("user", "Stop my contract")), "c"),
        Example((Message("system", "Another document."), Message("user", "stop my contract!")), "c"),
    ]
    assert comparable(rows[0]) == "where is my parcel"
    assert clusters_of(rows).tolist() == [0, 1, 2, 2]


def test_similarity_by_hand() -> None:
    sketches = [np.array([1, 2, 3, 4, 5], np.uint32), np.array([1, 2, 3, 4, 9], np.uint32)]
    assert similarities(np.array([[0, 1], [0, 0]]), lambda row: sketches[row]).tolist() == [4 / 6, 1.0]


def test_long_documents_are_compared_by_a_sample_of_their_shingles() -> None:
    draw = random.Random(3)
    words = ["".join(draw.choices("abcdefghijkl", k=6)) for _ in range(3000)]
    long = [" ".join(draw.choices(words, k=1500)) for _ in range(3)]
    changed = long[0].split()
    changed[100] = "changed"
    assert found_clusters([*long, " ".join(changed)]) == [0, 1, 2, 0]
