"""What a call cost: the provider's figure first, then price × usage by hand, and never 0 for what nobody knows."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta.gateway.catalog.cost import SILENT, CallUsage, LongPrice, cost_usd, usage_of
from chapeta.types import Price

SONNET = Price(3.0, 15.0, cached=0.3, cache_write=3.75)
PLAIN = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}


def test_price_times_usage_by_hand() -> None:
    assert cost_usd(PLAIN, SONNET) == pytest.approx((1000 * 3 + 200 * 15) / 1e6)  # 0.006


def test_cached_and_written_tokens_are_billed_once_each_at_their_own_rate() -> None:
    """10,000 tokens in: 6,000 read from the cache, 3,000 written to it, 1,000 plain; 500 out."""
    inside = {"cached_tokens": 6000, "cache_write_tokens": 3000}
    usage = {"prompt_tokens": 10_000, "completion_tokens": 500, "total_tokens": 10_500, "prompt_tokens_details": inside}
    assert cost_usd(usage, SONNET) == pytest.approx(0.0018 + 0.01125 + 0.003 + 0.0075)  # 0.02355


def test_what_has_no_rate_of_its_own_is_plain() -> None:
    inside = {"cached_tokens": 600, "cache_write_tokens": 100, "image_tokens": 100}
    usage = {**PLAIN, "prompt_tokens_details": inside, "completion_tokens_details": {"reasoning_tokens": 150}}
    assert cost_usd(usage, Price(3.0, 15.0)) == cost_usd(PLAIN, Price(3.0, 15.0))


def test_thinking_and_images_with_a_rate_of_their_own() -> None:
    price = Price(1.0, 10.0, reasoning=20.0, image=5.0, usd_per_call=0.001)
    details = {"prompt_tokens_details": {"image_tokens": 258}, "completion_tokens_details": {"reasoning_tokens": 150}}
    by_hand = (742 * 1 + 258 * 5 + 50 * 10 + 150 * 20) / 1e6 + 0.001
    assert cost_usd({**PLAIN, **details}, price) == pytest.approx(by_hand)


def test_thinking_that_only_the_total_tells_is_billed_as_output() -> None:
    """Gemini's own figures from mozilla-ai/any-llm#1290: 20 in, 198 of answer, 405 of thoughts, 623 in all."""
    usage = {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}
    assert cost_usd(usage, Price(0.3, 2.5)) == pytest.approx((20 * 0.3 + 603 * 2.5) / 1e6)
    assert usage_of({"usage": usage}) == CallUsage(20, 603, None, 405, None)
    with_details = {**usage, "completion_tokens_details": {"reasoning_tokens": 405}}
    assert cost_usd(with_details, Price(0.3, 2.5, reasoning=5.0)) == pytest.approx(
        (20 * 0.3 + 198 * 2.5 + 405 * 5) / 1e6
    )


def test_a_long_prompt_has_its_own_price_for_the_whole_call() -> None:
    price = LongPrice(1.25, 10.0, cached=0.125, above_tokens=200_000, above=Price(2.5, 15.0, cached=0.25))
    at = {"prompt_tokens": 200_000, "completion_tokens": 100}
    assert cost_usd(at, price) == pytest.approx((200_000 * 1.25 + 100 * 10) / 1e6)
    over = {"prompt_tokens": 200_001, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 200_000}}
    assert cost_usd(over, price) == pytest.approx((1 * 2.5 + 200_000 * 0.25 + 100 * 15) / 1e6)


def test_the_providers_own_figure_comes_first_and_its_zero_is_a_zero() -> None:
    assert cost_usd({**PLAIN, "cost": 0.0012}, SONNET) == 0.0012
    assert cost_usd({**PLAIN, "cost": 0}, SONNET) == 0.0
    assert cost_usd({"cost": 0.5}, None) == 0.5


def test_with_ones_own_key_behind_openrouter_its_bill_is_added_to_the_fee() -> None:
    usage = {**PLAIN, "cost": 0.95, "is_byok": True, "cost_details": {"upstream_inference_cost": 19}}
    assert cost_usd(usage, None) == pytest.approx(19.95)
    assert cost_usd({**usage, "is_byok": False}, None) == 0.95
    assert cost_usd({**usage, "cost_details": {"upstream_inference_cost": None}}, None) == 0.95


@pytest.mark.parametrize("told", [-1, -0.5, math.nan, math.inf, "0.1", True, None, [0.1], {"total_cost": 0.1}, 10**400])
def test_a_figure_that_is_none_is_not_believed(told: Any) -> None:
    assert cost_usd({**PLAIN, "cost": told}, SONNET) == cost_usd(PLAIN, SONNET)
    assert cost_usd({**PLAIN, "cost": told}, None) is None


@pytest.mark.parametrize(
    "usage",
    [
        None, {}, [], "usage", 7, {"total_tokens": 10}, {"completion_tokens": 10},
        {"prompt_tokens": -1, "completion_tokens": 5}, {"prompt_tokens": 1.5, "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5}, {"prompt_tokens": 5, "completion_tokens": "5"},
        {"prompt_tokens": 5, "completion_tokens": -5}, {"prompt_tokens": 10**400, "completion_tokens": 1},
    ],
)  # fmt: skip
def test_unknown_is_none_and_never_zero(usage: Any) -> None:
    assert cost_usd(usage, SONNET) is None


def test_without_a_price_the_cost_is_unknown_and_a_price_of_nothing_is_free() -> None:
    assert cost_usd(PLAIN, None) is None
    assert cost_usd(PLAIN, Price(0.0, 0.0)) == 0.0


def test_embeddings_have_no_output() -> None:
    assert cost_usd({"prompt_tokens": 500, "total_tokens": 500}, Price(0.02, 0.0)) == pytest.approx(1e-5)


def test_nonsense_among_the_details_is_left_out() -> None:
    bad = {"cached_tokens": -5, "cache_write_tokens": "many", "image_tokens": math.nan}
    assert cost_usd({**PLAIN, "prompt_tokens_details": bad}, SONNET) == cost_usd(PLAIN, SONNET)
    assert cost_usd({**PLAIN, "prompt_tokens_details": [1], "completion_tokens_details": 3}, SONNET) is not None
    more = {"cached_tokens": 5000, "cache_write_tokens": 5000}  # more than the prompt: nothing is billed twice
    assert cost_usd({**PLAIN, "prompt_tokens_details": more}, SONNET) == pytest.approx((1000 * 0.3 + 200 * 15) / 1e6)


class Details(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class Decoded(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: Details | None = None
    cost: float | None = None


def test_a_decoded_struct_and_other_mappings_cost_the_same() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 900}}
    struct = Decoded(1000, 200, Details(cached_tokens=900))
    expected = cost_usd(usage, SONNET)
    assert expected == pytest.approx((100 * 3 + 900 * 0.3 + 200 * 15) / 1e6)
    assert cost_usd(struct, SONNET) == cost_usd(MappingProxyType(usage), SONNET) == expected
    assert cost_usd(Decoded(1, 2, cost=0.25), None) == 0.25


def test_usage_of_an_answer() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 64}}
    answer = {"id": "gen-1", "choices": [], "usage": {**PLAIN, **details, "cost": 0.01}}
    assert usage_of(answer) == CallUsage(1000, 200, 0, 64, 0.01)
    assert usage_of(answer["usage"]) == usage_of(answer)
    assert usage_of({"usage": PLAIN}, SONNET) == CallUsage(1000, 200, None, None, pytest.approx(0.006))
    assert usage_of({"usage": None}) == usage_of({"choices": []}) == SILENT
    assert usage_of({"usage": {"cost": 0.5}}) == CallUsage(usd=0.5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("prompt_tokens", "completion_tokens", "total_tokens", "cost", "is_byok", "prompt_tokens_details")
WILD = st.dictionaries(st.sampled_from((*NAMES, "completion_tokens_details", "cost_details")), JSON)
RATE = st.floats(0, 1000)
COUNT = st.integers(0, 10_000_000)


@given(WILD)
def test_whatever_a_provider_sends_nothing_breaks_and_no_cost_is_negative(usage: dict[str, Any]) -> None:
    for usd in (cost_usd(usage, SONNET), cost_usd(usage, None), usage_of({"usage": usage}, SONNET).usd):
        assert usd is None or (math.isfinite(usd) and usd >= 0)


@given(COUNT, COUNT, COUNT, COUNT, COUNT, RATE, RATE, RATE, RATE)
def test_each_token_is_billed_once(
    tokens_in: int, cached: int, written: int, image: int, out: int, a: float, b: float, c: float, d: float
) -> None:
    inside = {"cached_tokens": cached, "cache_write_tokens": written, "image_tokens": image}
    usage = {"prompt_tokens": tokens_in, "completion_tokens": out, "prompt_tokens_details": inside}
    same = cost_usd(usage, Price(a, b, cached=a, cache_write=a, image=a))
    assert same == pytest.approx((tokens_in * a + out * b) / 1e6)
    usd = cost_usd(usage, Price(a, b, cached=c, cache_write=d, image=c))
    assert usd is not None
    least, most = min(a, c, d), max(a, c, d)
    assert usd * 1e6 >= (tokens_in * least + out * b) * (1 - 1e-9) - 1e-9
    assert usd * 1e6 <= (tokens_in * most + out * b) * (1 + 1e-9) + 1e-9


@given(COUNT, COUNT, st.integers(0, 10_000_000), RATE, RATE)
def test_thinking_is_part_of_the_output(
    tokens_in: int, out: int, thought: int, usd_out: float, usd_thought: float
) -> None:
    usage = {
        "prompt_tokens": tokens_in,
        "completion_tokens": out,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    told = thought if thought <= out else 0  # more than there is: not believed
    by_hand = (tokens_in * 1.0 + (out - told) * usd_out + told * usd_thought) / 1e6
    assert cost_usd(usage, Price(1.0, usd_out, reasoning=usd_thought)) == pytest.approx(by_hand)
