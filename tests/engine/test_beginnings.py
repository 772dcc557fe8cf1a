"""What prompts begin with is computed once for all slots, and never mixed up between adapters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta.engine.adapter import write_gguf_adapter
from chapeta.engine.beginnings import common_length
from chapeta.engine.llama import Engine
from chapeta.types import Answer, Decoding, Labels, Message, Request

SKILL = "Say where the message belongs. " + " ".join(f"Rule {n}: words like w{n} are for desk {n}." for n in range(30))
LABELS = Labels(tuple(f"{word}-{n}" for word in ("desk", "post", "cash", "help") for n in range(10, 40, 3)))
ROWS = ("Where is my parcel?", "I was charged twice.", "I want my money back.", "I forgot my password.", "It is broken.",
        "The courier never came.", "Change my address, please.", "Why is there a fee?")  # fmt: skip
RANK = 4


@pytest.fixture(scope="module")
def adapter(embedded_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of chance numbers, strong enough to change what the model says."""
    chance = np.random.default_rng(0)
    state = {}
    for layer in range(0, 30, 3):
        name = f"base_model.model.model.layers.{layer}.self_attn.v_proj"
        state[f"{name}.lora_A.weight"] = chance.normal(0, 0.5, (RANK, 576)).astype(np.float32)
        state[f"{name}.lora_B.weight"] = chance.normal(0, 0.5, (192, RANK)).astype(np.float32)
    return write_gguf_adapter(state, 8.0, embedded_model, tmp_path_factory.mktemp("adapter") / "chance.gguf")


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


def test_copies_of_one_adapter_are_not_taken_for_another(engine: Engine, fresh: Engine, adapter: Path) -> None:
    """The same prompts with and without the adapter, in waves: each wave finds the slots full of the other's."""
    wanted = {
        tuned: [fresh.answer(ask(row, adapter if tuned else None)).text for row in ROWS] for tuned in (False, True)
    }
    assert wanted[False] != wanted[True]
    for tuned in (False, True, False):
        answers = at_once(engine, [ask(row, adapter if tuned else None) for row in ROWS])
        same = sum(answer.text == text for answer, text in zip(answers, wanted[tuned], strict=True))
        assert same >= len(ROWS) - 1  # batches may round a tie differently


def test_a_prompt_that_lost_its_slot_is_not_found_again_with_another_adapter(
    engine: Engine, fresh: Engine, adapter: Path
) -> None:
    """llama.cpp keeps such prompts aside, by their tokens alone: a base model must not go on from a tuned one's."""

    def story(tuned: bool, about: str = "a lighthouse") -> Request:
        text = f"{about}: tell a story. " * 20
        return Request("smollm2-135m", (Message("user", text),), Decoding(24), str(adapter) if tuned else None)

    others = [story(False, f"{about} and nothing else") for about in ("Winter", "Trains", "Soup", "Owls", "Chess")]
    wanted = [fresh.answer(request).text for request in (*others, story(False))]
    engine.answer(story(True))  # then the base model takes every slot
    assert [engine.answer(request).text for request in (*others, story(False))] == wanted


def test_two_skills_in_turn_answer_as_alone(engine: Engine, fresh: Engine) -> None:
    other = "Sort the mail into desks. " + SKILL[::-1][:700]
    requests = [ask(row, None, skill) for row, skill in zip(ROWS[:4], itertools.cycle((SKILL, other)), strict=False)]
    alone = [fresh.answer(request).text for request in requests]
    together = [answer.text for answer in at_once(engine, requests)]
    assert sum(a == b for a, b in zip(alone, together, strict=True)) >= 3


@given(st.lists(st.integers(0, 2), max_size=30), st.lists(st.integers(0, 2), max_size=30))
def test_common_length_is_that_of_the_common_beginning(first: list[int], second: list[int]) -> None:
    counted = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    assert common_length(tuple(first), tuple(second)) == counted
