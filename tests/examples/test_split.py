"""Splits: nothing straddles, sizes follow the rule, the same rows give the same split in any order."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput, Corrupt, Missing
from chapeta.examples.duplicates import clusters_of
from chapeta.examples.folder import read_splits, write_splits
from chapeta.examples.split import Splits, sizes, split
from chapeta.types import Example, Message

LABELS = ("refund", "delivery", "praise")


def example(text: str, answer: str = "a", group: str = "", line: int = 0) -> Example:
    return Example((Message("user", text),), answer, group=group, line=line)


def random_text(draw: random.Random, words: int = 12) -> str:
    return " ".join("".join(draw.choices("abcdefghijklmnop", k=draw.randint(3, 8))) for _ in range(words))


def dataset(rows: int, seed: int = 0, copies: float = 0.2, groups: int = 0) -> list[Example]:
    """Labelled rows; a share are near copies of an earlier row, and rows may belong to groups."""
    draw = random.Random(seed)
    made: list[Example] = []
    for line in range(1, rows + 1):
        near = made and draw.random() < copies
        text = draw.choice(made).question + "!" * draw.randint(0, 2) + " x" if near else random_text(draw)
        group = f"g{draw.randrange(groups)}" if groups and draw.random() < 0.5 else ""
        made.append(example(text, LABELS[line % 3], group, line))
    return made


def parts(splits: Splits) -> list[tuple[str, Example]]:
    named = (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
    return [(name, row) for name, part in named for row in part]


def assert_nothing_straddles(splits: Splits) -> None:
    placed = parts(splits)
    where: dict[object, set[str]] = defaultdict(set)
    for (name, row), cluster in zip(placed, clusters_of([row for _, row in placed]).tolist(), strict=True):
        where[cluster].add(name)
        if row.group:
            where[row.group].add(name)
    assert all(len(names) == 1 for names in where.values())


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(30, 200), seed=st.integers(0, 10**6), copies=st.floats(0, 0.6), groups=st.sampled_from([0, 15, 60])
)
def test_no_group_and_no_near_duplicate_straddles(rows: int, seed: int, copies: float, groups: int) -> None:
    data = dataset(rows, seed, copies, groups)
    try:
        splits = split(data, seed)
    except BadInput as error:
        assert "independent group" in error.message
        return
    assert_nothing_straddles(splits)
    placed = [row for _, row in parts(splits)]
    assert len(placed) == len({row.id for row in placed}) == len(data) - splits.report.duplicates_dropped
    assert {row.id for row in placed} == {row.id for row in data}
    assert min(len(splits.train), len(splits.validation), len(splits.test)) > 0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_does_not_matter_and_the_seed_does(seed: int) -> None:
    data = dataset(120, seed)
    shuffled = data.copy()
    random.Random(seed).shuffle(shuffled)
    one, other = split(data, seed=3), split(shuffled, seed=3)
    for name in ("train", "validation", "test"):
        assert {row.id for row in getattr(one, name)} == {row.id for row in getattr(other, name)}
    assert {row.id for row in one.test} != {row.id for row in split(data, seed=4).test}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (10, (5, 1, 4)),
        (100, (50, 16, 34)),
        (400, (200, 40, 160)),
        (1000, (600, 100, 300)),
        (2000, (1400, 200, 400)),
        (10_000, (7800, 200, 2000)),
    ],
)
def test_sizes_by_hand(rows: int, expected: tuple[int, int, int]) -> None:
    assert sizes(rows) == expected


@given(rows=st.integers(10, 100_000), given_test=st.booleans())
def test_sizes_add_up_and_train_keeps_half(rows: int, given_test: bool) -> None:
    train, validation, test = sizes(rows, given_test)
    assert train + validation + test == rows
    assert train >= rows / 2
    assert validation >= 1
    assert (test == 0) == given_test
    if rows >= 750 and not given_test:
        assert test >= 300


def test_labels_keep_their_shares() -> None:
    data = [example(random_text(random.Random(i)), "rare" if i % 10 == 0 else "common", line=i) for i in range(1000)]
    splits = split(data)
    assert splits.report.stratified_by == "label"
    assert (len(splits.train), len(splits.validation), len(splits.test)) == pytest.approx((600, 100, 300), abs=2)
    for part in (splits.train, splits.validation, splits.test):
        rare = Counter(row.answer for row in part)["rare"]
        assert rare == pytest.approx(len(part) / 10, abs=1.01)


def test_objects_are_stratified_by_their_first_closed_field() -> None:
    draw = random.Random(1)
    answers = [json.dumps({"id": f"n{i}", "team": LABELS[i % 3]}) for i in range(90)]
    splits = split([example(random_text(draw), answer) for answer in answers])
    assert splits.report.stratified_by == "team"
    counts = Counter(json.loads(row.answer)["team"] for row in splits.test)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_every_label_can_be_learned() -> None:
    draw = random.Random(2)
    data = [example(random_text(draw), f"label{i % 40}" if i < 160 else f"single{i}") for i in range(165)]
    splits = split(data, kind="classify")
    assert {row.answer for row in splits.test} | {row.answer for row in splits.validation} <= {
        row.answer for row in splits.train
    }


def test_a_given_test_file_is_kept_and_what_repeats_it_is_removed() -> None:
    data = dataset(100, copies=0)
    test = [
        example(data[0].question, "refund"),
        example(data[1].question.upper() + "?", "praise"),
        example("something quite different", "praise", group="c9"),
        example("something quite different", "praise", group="c9"),
    ]
    splits = split([*data, example("of the same customer", "refund", group="c9")], test=test)
    assert list(splits.test) == test
    assert splits.report.leakage_removed == 3
    assert len(splits.train) + len(splits.validation) == 98
    assert_nothing_straddles(splits)
    assert "indicative" in splits.report.notes[0]


def test_a_row_that_stands_in_two_groups_joins_them() -> None:
    data = dataset(60, copies=0)
    hello = [example("hello", "praise", group) for group in ("a", "b")]
    mates = [example(random_text(random.Random(i)), "refund", "ab"[i % 2]) for i in range(6)]
    splits = split([*data, *hello, *mates])
    assert splits.report.duplicates_dropped == 1
    assert len({name for name, row in parts(splits) if row.group}) == 1


def test_conflicts_and_duplicates_are_counted() -> None:
    data = dataset(50, copies=0)
    splits = split([*data, data[0], data[0], example(data[1].question, "another")])
    assert (splits.report.duplicates_dropped, splits.report.conflicts) == (2, 1)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([example("q", "a")] * 20, "All 20 rows are identical"),
        ([example(f"q{i}", f"a{i}") for i in range(3)], "3 different rows are too few"),
        ([example("q", "a")], "1 row is too few"),
        ([], "0 different rows"),
        ([example(random_text(random.Random(i)), "same") for i in range(20)], "the same answer 'same'"),
        ([example(random_text(random.Random(i)), "ab"[i % 2], "one") for i in range(20)], "1 independent group"),
        ([example(f"Where is my order {i}?", "ab"[i % 2]) for i in range(12_340, 12_360)], "1 independent group"),
    ],
)
def test_data_that_cannot_be_split(rows: list[Example], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        split(rows)
    assert says in caught.value.message
    assert caught.value.remedy


def test_few_large_groups_still_fill_every_split() -> None:
    data = [example(random_text(random.Random(i)), "ab"[i % 2], f"g{i % 3}") for i in range(60)]
    splits = split(data)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [20, 20, 20]
    assert_nothing_straddles(splits)


ROUND_TRIP = st.builds(
    Example,
    messages=st.lists(
        st.builds(
            Message,
            st.sampled_from(["system", "user", "assistant", "tool"]),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.sampled_from([0.0, 0.3, 1.0]),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    answer=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    weight=st.floats(0.01, 1),
    tools=st.sampled_from([(), ({"name": "f", "parameters": {"a": [1, None]}},)]),
    group=st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    line=st.integers(0, 10**9),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROUND_TRIP, max_size=5))
def test_splits_come_back_from_disk(tmp_path: Path, rows: list[Example]) -> None:
    report = split(dataset(30)).report
    splits = Splits(tuple(rows), (), tuple(reversed(rows)), report)
    write_splits(tmp_path, splits)
    assert read_splits(tmp_path) == splits


def test_changed_and_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="chapeta split"):
        read_splits(tmp_path)
    write_splits(tmp_path, split(dataset(30)))
    path = tmp_path / "test.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(Corrupt, match="SHA-256"):
        read_splits(tmp_path)
    path.unlink()
    with pytest.raises(Missing, match=r"test\.jsonl"):
        read_splits(tmp_path)
    (tmp_path / "split.json").write_text("{}")
    with pytest.raises(Corrupt):
        read_splits(tmp_path)


def test_a_test_file_that_holds_all_rows_is_named() -> None:
    data = dataset(40, copies=0)
    with pytest.raises(BadInput, match="All 40 rows are in the test file too"):
        split(data, 0, data)
