"""Replay questions: enough of them, of many kinds, and none that the general suite asks."""

from __future__ import annotations

import pytest
from rapidfuzz.fuzz import token_set_ratio
from rapidfuzz.utils import default_process

from chapeta.bench.general import load_suite
from chapeta.errors import BadInput
from chapeta.tuning.replay_prompts import replay_prompts, replay_requests
from chapeta.types import Decoding, Message

TOO_CLOSE = 80


def closest(prompt: str, others: list[str]) -> tuple[float, str, str]:
    """Similarity of the most similar of the others, case and punctuation aside."""
    score, other = max((token_set_ratio(prompt, o, processor=default_process), o) for o in others)
    return score, prompt, other


def test_the_file_holds_what_it_promises() -> None:
    prompts = replay_prompts()
    assert len(prompts) == len({default_process(prompt) for prompt in prompts}) == 160
    assert all(prompt == prompt.strip() and 3 <= len(prompt.split()) < 25 for prompt in prompts)


def test_no_two_questions_are_nearly_the_same() -> None:
    prompts = list(replay_prompts())
    pairs = [closest(prompt, prompts[number + 1 :]) for number, prompt in enumerate(prompts[:-1])]
    assert [pair for pair in pairs if pair[0] >= TOO_CLOSE] == []


def test_nothing_that_the_general_suite_asks() -> None:
    suite = [item.prompt for item in load_suite()]
    assert len(suite) > 100
    pairs = [closest(prompt, suite) for prompt in replay_prompts()]
    assert [pair for pair in pairs if pair[0] >= TOO_CLOSE] == []


def test_the_closeness_that_is_forbidden_is_seen() -> None:
    assert closest("Which birds swim but cannot fly?", list(replay_prompts()))[0] >= TOO_CLOSE


def test_a_request_is_a_bare_question_answered_greedily() -> None:
    requests = replay_requests("smollm2-135m", 160)
    assert [request.messages for request in requests] == [(Message("user", p),) for p in replay_prompts()]
    assert {(r.model, r.decoding, r.adapter) for r in requests} == {("smollm2-135m", Decoding(96), None)}
    assert requests[0].decoding.temperature == 0


def test_fewer_are_spread_over_the_file() -> None:
    asked = [request.messages[0].content for request in replay_requests("m", 4)]
    prompts = replay_prompts()
    assert asked == [prompts[0], prompts[40], prompts[80], prompts[120]]


def test_counts_at_the_edges() -> None:
    assert replay_requests("m", 0) == ()
    assert replay_requests("m", 5000) == replay_requests("m", 160)
    with pytest.raises(BadInput, match="-3"):
        replay_requests("m", -3)
