"""Labels at providers, and whole answers as streams."""

from __future__ import annotations

import json

import pytest

from chapeta.gateway.closed import as_events, label_format, label_in, with_labels
from chapeta.gateway.http import sse

LABELS = ("delivery", "billing")


@pytest.mark.parametrize(
    "said", ["delivery", " Delivery.", '"delivery"', "**DELIVERY**", '{"label": "delivery"}', '{"label":"Delivery."}']
)
def test_a_label_counts_whatever_its_form(said: str) -> None:
    assert label_in(said, LABELS) == "delivery"


@pytest.mark.parametrize("said", ["the delivery desk", "", "{", "[1]", '{"other": "delivery"}', "null"])
def test_what_is_no_label_stays_as_it_was(said: str) -> None:
    assert label_in(said, LABELS) == said


def test_the_format_asks_for_one_of_the_labels() -> None:
    schema = label_format(LABELS)["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == ["delivery", "billing"]
    assert schema["required"] == ["label"]


def test_every_choice_of_an_answer_becomes_its_label() -> None:
    choices = [
        {"index": n, "message": {"content": text}} for n, text in enumerate(('{"label":"billing"}', "Delivery."))
    ]
    made = json.loads(with_labels(json.dumps({"id": "x", "choices": choices}).encode(), LABELS))
    assert [c["message"]["content"] for c in made["choices"]] == ["billing", "delivery"]
    assert made["id"] == "x"


def test_a_whole_answer_as_a_stream_has_all_of_it() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "hi", "tool_calls": [call]}
    answer = {
        "id": "x",
        "created": 7,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1},
    }
    events = as_events(json.dumps(answer).encode(), with_usage=True)
    first, last, usage = sse.decoded(events)
    assert first["choices"][0]["delta"]["content"] == "hi"
    assert first["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **call}]
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert (usage["choices"], usage["usage"]) == ([], {"prompt_tokens": 1})
    assert events.endswith(sse.DONE)
    assert len(sse.decoded(as_events(json.dumps(answer).encode(), with_usage=False))) == 2


def test_an_answer_nested_too_deeply_is_a_text_like_any_other() -> None:
    deep = "[" * 5000
    assert label_in(deep, ("a", "b")) == deep
