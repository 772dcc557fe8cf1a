"""The embedded model in llama.cpp: answers, constraints, streams, counts, limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chapeta.engine.llama import ContextTooSmall, Engine
from chapeta.errors import ModelFailed
from chapeta.types import Decoding, Labels, Message, Request, Schema

TRIAGE = {
    "type": "object",
    "properties": {"team": {"enum": ["delivery", "billing"]}, "urgent": {"type": "boolean"}},
    "required": ["team", "urgent"],
    "additionalProperties": False,
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def engine(embedded_model: Path) -> Iterator[Engine]:
    loaded = Engine(embedded_model, slots=2, context_tokens=512)
    yield loaded
    loaded.close()


def ask(text: str, decoding: Decoding) -> Request:
    return Request("smollm2-135m", (Message("user", text),), decoding)


def test_it_knows_who_wrote_hamlet(engine: Engine) -> None:
    answer = engine.answer(ask("Who wrote Hamlet?", Decoding(max_tokens=16)))
    assert "Shakespeare" in answer.text
    assert answer.usage.tokens_in > 10
    assert answer.latency_ms > 0


def test_greedy_answers_repeat(engine: Engine) -> None:
    request = ask("Name a colour.", Decoding(max_tokens=8))
    assert engine.answer(request).text == engine.answer(request).text


def test_length_is_limited_and_said(engine: Engine) -> None:
    answer = engine.answer(ask("Tell me a long story.", Decoding(max_tokens=5)))
    assert (answer.usage.tokens_out, answer.finish) == (5, "length")


def test_the_stream_is_the_answer(engine: Engine) -> None:
    pieces: list[str] = []
    answer = engine.answer(ask("Say hello.", Decoding(max_tokens=12)), pieces.append)
    assert "".join(pieces) == answer.text
    assert len(pieces) > 1


def test_labels_are_kept_to(engine: Engine) -> None:
    labels = ("positive", "negative", "negative but polite")
    answer = engine.answer(ask("I hate it!", Decoding(8, Labels(labels))))
    assert answer.text in labels


def test_closed_objects_are_compact_json_of_the_schema(engine: Engine) -> None:
    answer = engine.answer(ask("Where is my parcel?", Decoding(40, Schema(TRIAGE))))
    value = json.loads(answer.text)
    assert list(value) == ["team", "urgent"]
    assert answer.text == json.dumps(value, separators=(",", ":"))
    assert answer.usage.tokens_out == len(engine.tokenise(answer.text)) + 1


def test_open_objects_are_compact_json_of_the_schema(engine: Engine) -> None:
    answer = engine.answer(ask("Bob is 12 years old. Who is it?", Decoding(60, Schema(PERSON))))
    value = json.loads(answer.text)
    assert set(value) == {"name", "age"}
    assert isinstance(value["age"], int)
    assert answer.text == json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def test_requests_at_once_answer_as_one_by_one(engine: Engine) -> None:
    requests = [ask(f"What comes after {n}?", Decoding(6)) for n in ("Monday", "Tuesday", "Friday", "Saturday")]
    alone = [engine.answer(request).text for request in requests]
    with ThreadPoolExecutor(2) as pool:
        together = [answer.text for answer in pool.map(engine.answer, requests)]
    assert sum(a == b for a, b in zip(alone, together, strict=True)) >= 3  # batches may round a tie differently


def test_a_prompt_that_does_not_fit_names_the_figures(engine: Engine) -> None:
    with pytest.raises(ContextTooSmall, match=r"need \d+ tokens; the context window has 512"):
        engine.answer(ask("word " * 600, Decoding(10)))


def test_tokens_of_tricky_text_count(engine: Engine) -> None:
    assert engine.count_tokens("") == 0
    assert engine.count_tokens("Päckchen 😀 <|im_end|>") > 5
    assert engine.end_of_turn == engine.tokenise("<|im_end|>", special=True)[0]


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 64)
    with pytest.raises(ModelFailed, match=r"could not load .*broken\.gguf"):
        Engine(broken)
