"""What the model reads and what it is taught, token by token, on the real tokeniser and against llama.cpp's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chapeta.engine.llama import Engine
from chapeta.errors import BadInput
from chapeta.tuning.load import load_tokeniser
from chapeta.tuning.tokenise import ChatTokeniser, preview, tokenise
from chapeta.tuning.trainer import TrainingRow
from chapeta.types import Example, Message

TRICKY = [
    "Wo ist mein Päckchen?? 😀👩‍👩‍👧 1234567",
    "  two  spaces,\ttab\n\n\nand newlines\r\n at the end \n",
    "naïve café — “quotes” … ½ 東京 Ελλάδα \u200b",
    '{"a": [1, 2.50, -3e10], "b": "x\\n"}',
    "don't I'LL we've 100% $3.99 x=y+z; def f(x): return x**2",
]


@pytest.fixture(scope="module")
def tokeniser(embedded_model: Path) -> Any:
    return load_tokeniser(embedded_model)


def row(*messages: Message, answer: str, weight: float = 1.0, system: str = "Sort.", line: int = 0) -> TrainingRow:
    return TrainingRow(system, Example(messages, answer, weight, line=line))


def test_only_the_answer_and_its_end_are_taught(tokeniser: Any) -> None:
    (piece,) = tokenise([row(Message("user", "Hi"), answer="ok")], tokeniser).rows
    tokens = tokeniser.convert_ids_to_tokens(list(piece.ids))
    # Ċ is how byte-level tokenisers write a newline
    expected = "<|im_start|> system Ċ Sort . <|im_end|> Ċ <|im_start|> user Ċ Hi <|im_end|> Ċ"
    expected += " <|im_start|> ass istant Ċ ok <|im_end|>"
    assert tokens == expected.split()
    assert piece.weights == (0.0,) * 17 + (1.0, 1.0)


def test_earlier_assistant_turns_are_taught_by_their_weight(tokeniser: Any) -> None:
    messages = (
        Message("user", "A"),
        Message("assistant", "first", weight=0.5),
        Message("user", "B"),
        Message("assistant", "ignored", weight=0),
        Message("user", "C"),
    )
    (piece,) = tokenise([row(*messages, answer="last", weight=2.0)], tokeniser).rows
    taught = [(tokeniser.decode([i]), w) for i, w in zip(piece.ids, piece.weights, strict=True) if w]
    assert taught == [("first", 0.5), ("<|im_end|>", 0.5), ("last", 2.0), ("<|im_end|>", 2.0)]
    text = tokeniser.decode(list(piece.ids))
    assert text.endswith("ignored<|im_end|>\n<|im_start|>user\nC<|im_end|>\n<|im_start|>assistant\nlast<|im_end|>")


def test_a_template_that_rewrites_earlier_turns_gives_a_sequence_for_each(tokeniser: Any) -> None:
    import copy

    other = copy.deepcopy(tokeniser)  # an earlier answer loses its brackets, as thoughts do in some models
    other.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{{ m.content if loop.last else m.content | replace('[x]', '') }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    messages = (Message("user", "A"), Message("assistant", "[x]one"), Message("user", "B"))
    pieces = tokenise([row(*messages, answer="two")], other).rows
    texts = [
        "".join(text for text, trained in runs if trained) for runs in preview([row(*messages, answer="two")], other, 9)
    ]
    assert len(pieces) == 2
    assert texts == ["[x]one<|im_end|>", "two<|im_end|>"]
    assert "[x]" not in other.decode(list(pieces[1].ids))


def test_rows_that_teach_nothing_are_refused_by_line(tokeniser: Any) -> None:
    with pytest.raises(BadInput, match="Line 7 teaches nothing"):
        tokenise([row(Message("user", "Hi"), answer="ok", weight=0, line=7)], tokeniser)


def test_long_rows_are_counted_not_lost_silently(tokeniser: Any) -> None:
    rows = [row(Message("user", "Hi"), answer="ok"), row(Message("user", "Hi " * 100), answer="ok")]
    result = tokenise(rows, tokeniser, max_tokens=50)
    assert (len(result.rows), result.dropped, result.longest) == (1, 1, 19)
    with pytest.raises(BadInput, match=r"All 2 rows are longer than 10 tokens.*at least 19"):
        tokenise(rows, tokeniser, max_tokens=10)


def test_preview_shows_runs_with_whole_characters(tokeniser: Any) -> None:
    ((prompt, taught),) = [preview([row(Message("user", "👩‍👩‍👧?"), answer="東京 😀")], tokeniser, 1)[0]]
    assert prompt == (
        "<|im_start|>system\nSort.<|im_end|>\n<|im_start|>user\n👩‍👩‍👧?<|im_end|>\n<|im_start|>assistant\n",
        False,
    )
    assert taught == ("東京 😀<|im_end|>", True)


def test_a_model_without_template_says_so(tokeniser: Any) -> None:
    import copy

    bare = copy.deepcopy(tokeniser)
    bare.chat_template = None
    with pytest.raises(BadInput, match="no chat template"):
        tokenise([row(Message("user", "Hi"), answer="ok")], bare)


def test_ids_are_those_of_llama_cpp(tokeniser: Any, embedded_model: Path) -> None:
    chat = ChatTokeniser(tokeniser)
    engine = Engine(embedded_model, slots=1)
    try:
        assert chat.end_of_turn == engine.end_of_turn
        for text in TRICKY:
            assert tuple(chat.encode(text)) == tuple(engine.tokenise(text))
            for system in ("", text):
                head = (Message("system", system),) if system else ()
                messages = (*head, Message("user", text), Message("assistant", text), Message("user", text))
                assert tuple(chat.encode(chat.prompt(messages))) == tuple(engine.prompt_tokens(messages))
    finally:
        engine.close()
