"""What prompts begin with is computed once for all slots, and never mixed up between adapters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import eq
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta import config
from chapeta.engine.beginnings import common_length
from chapeta.engine.llama import Engine
from chapeta.types import Answer, Decoding, Labels, Message, Request

SKILL = "Say where the message belongs. " + " ".join(f"Rule {n}: words like w{n} are for desk {n}." for n in range(12))
LABELS = Labels(tuple(f"{word}-{n}" for word in ("desk", "post", "cash", "help") for n in range(10, 40, 3)))
ROWS = ("Where is my parcel?", "I was charged twice.", "I want my money back.", "I forgot my password.", "It is broken.",
        "The courier never came.", "Change my address, please.", "Why is there a fee?")  # fmt: skip


@pytest.fixture(scope="module")
def engine(embedded_model: Path, adapter: Path) -> Iterator[Engine]:
    loaded = Engine(embedded_model, [str(adapter)], slots=4, context_tokens=768)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def fresh(embedded_model: Path, adapter: Path) -> Iterator[Engine]:
    """One slot, so that nothing is ever copied."""
    loaded = Engine(embedded_model, [str(adapter)], slots=1, context_tokens=768)
    yield loaded
    loaded.close()


def ask(row: str, adapter: Path | None, skill: str = SKILL) -> Request:
    decoding = Decoding(8, LABELS)
    return Request(
        "smollm2-135m", (Message("system", skill), Message("user", row)), decoding, str(adapter) if adapter else None
    )


def at_once(engine: Engine, requests: list[Request]) -> list[Answer]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(engine.answer, requests))


def computed(answers: list[Answer]) -> int:
    return sum(answer.usage.tokens_in - answer.usage.tokens_cached for answer in answers)


@pytest.mark.parametrize("tuned", [False, True])
def test_a_skill_is_computed_once_for_all_rows(engine: Engine, adapter: Path, tuned: bool) -> None:
    skill = f"{tuned}: {SKILL}"
    answers = at_once(engine, [ask(row, adapter if tuned else None, skill) for row in ROWS])
    skill_tokens = len(engine.tokenise(skill))
    assert skill_tokens < computed(answers) < 1.5 * skill_tokens + 20 * len(ROWS)
    assert sorted(answer.usage.tokens_cached >= skill_tokens for answer in answers) == [False] + [True] * (
        len(ROWS) - 1
    )


def test_copies_are_gone_and_a_disk_that_takes_none_stops_no_answer(
    embedded_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("CHAPETA_HOME", str(home))
    requests = [ask(row, None) for row in ROWS[:4]]
    engines = [Engine(embedded_model, slots=2, context_tokens=768) for _ in range(2)]
    assert {answer.finish for answer in at_once(engines[0], requests)} == {"stop"}
    passing = config.passing_dir()
    assert passing.is_dir() and not list(passing.iterdir())
    passing.rmdir()
    passing.write_text("no folder can be made here")
    answers = at_once(engines[1], requests)
    assert {answer.finish for answer in answers} == {"stop"}
    assert computed(answers) > 2 * len(engines[1].tokenise(SKILL))
    for each in engines:
        each.close()


def test_copies_of_one_adapter_are_not_taken_for_another(engine: Engine, fresh: Engine, adapter: Path) -> None:
    """The same prompts with and without the adapter, in waves: each wave finds the slots full of the other's."""
    wanted = {
        tuned: [fresh.answer(ask(row, adapter if tuned else None)).text for row in ROWS] for tuned in (False, True)
    }
    assert sum(map(eq, wanted[False], wanted[True])) < len(ROWS) / 2
    for tuned in (False, True, False):
        answers = at_once(engine, [ask(row, adapter if tuned else None) for row in ROWS])
        own, others = (
            sum(answer.text == text for answer, text in zip(answers, wanted[which], strict=True))
            for which in (tuned, not tuned)
        )
        assert own > len(ROWS) / 2 > others  # not all: batches may round a tie differently


def test_two_skills_in_turn_answer_as_alone(engine: Engine, fresh: Engine) -> None:
    other = "Sort the mail into desks. " + SKILL[::-1][:300]
    requests = [ask(row, None, skill) for row, skill in zip(ROWS[:4], itertools.cycle((SKILL, other)), strict=False)]
    alone = [fresh.answer(request).text for request in requests]
    together = [answer.text for answer in at_once(engine, requests)]
    assert sum(map(eq, alone, together)) > len(requests) / 2


@given(st.lists(st.integers(0, 2), max_size=30), st.lists(st.integers(0, 2), max_size=30))
def test_common_length_is_that_of_the_common_beginning(first: list[int], second: list[int]) -> None:
    counted = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    assert common_length(tuple(first), tuple(second)) == counted
