"""What a row of each format means: roles, weights, tool calls, system prompts, groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chapeta.examples.read import BadRow, Columns, read
from chapeta.types import Example, Message


def one(folder: Path, row: Any, columns: Columns | None = None) -> Example | BadRow:
    path = folder / "row.jsonl"
    path.write_text(json.dumps(row))
    (found,) = read(path, columns)
    return found


def chat(*turns: tuple[str, Any] | dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [t if isinstance(t, dict) else {"role": t[0], "content": t[1]} for t in turns], **more}


def test_the_last_trained_turn_is_the_answer(tmp_path: Path) -> None:
    row = chat(
        ("developer", "Be brief."),
        ("user", "Hi"),
        {"role": "assistant", "content": "Hello", "weight": 0},
        ("user", "Bye"),
        {"role": "assistant", "content": "Goodbye", "weight": 0.5},
        ("user", "Again"),
        {"role": "assistant", "content": "untrained", "weight": 0},
    )
    assert one(tmp_path, row) == Example(
        (
            Message("system", "Be brief."),
            Message("user", "Hi"),
            Message("assistant", "Hello", 0.0),
            Message("user", "Bye"),
        ),
        "Goodbye",
        weight=0.5,
        line=1,
    )


def test_nothing_trained_is_a_bad_row(tmp_path: Path) -> None:
    found = one(tmp_path, chat(("user", "Hi"), {"role": "assistant", "content": "Hello", "weight": 0}))
    assert isinstance(found, BadRow)
    assert "weight 0" in found.reason


def test_row_weight_and_group_multiply_and_carry(tmp_path: Path) -> None:
    row = chat(("user", "Hi"), {"role": "assistant", "content": "Yo", "weight": 0.5}, weight=0.5, group=7)
    found = one(tmp_path, row)
    assert isinstance(found, Example)
    assert (found.weight, found.group) == (0.25, "7")


def test_parts_of_text_are_joined_and_images_refused(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "What "}, {"type": "text", "text": "now?"}]
    found = one(tmp_path, chat(("user", parts), ("assistant", "This")))
    assert isinstance(found, Example)
    assert found.question == "What now?"
    image = [{"type": "image_url", "image_url": {"url": "x"}}]
    refused = one(tmp_path, chat(("user", image), ("assistant", "This")))
    assert isinstance(refused, BadRow)
    assert "not text" in refused.reason


def test_tool_calls_become_canonical_text(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"b": 2, "a": "é"}'}}
    row = chat(("user", "Find"), {"role": "assistant", "content": None, "tool_calls": [call]}, tools=[tool])
    found = one(tmp_path, row)
    assert isinstance(found, Example)
    assert found.answer == '[{"arguments":{"a":"é","b":2},"name":"look_up"}]'
    assert found.tools == (tool,)
    call["function"] = {"name": "look_up", "arguments": "{broken"}
    assert isinstance(one(tmp_path, row), BadRow)


def test_a_tool_result_is_context(tmp_path: Path) -> None:
    call = {"function": {"name": "f", "arguments": {}}}
    row = chat(("user", "q"), {"role": "assistant", "tool_calls": [call]}, ("tool", "42"), ("assistant", "It is 42."))
    found = one(tmp_path, row)
    assert isinstance(found, Example)
    assert [m.role for m in found.messages] == ["user", "assistant", "tool"]
    assert found.messages[1].content == '[{"arguments":{},"name":"f"}]'
    assert found.answer == "It is 42."


def test_alpaca_joins_instruction_and_input(tmp_path: Path) -> None:
    found = one(tmp_path, {"instruction": "Translate.", "input": "chat", "output": "cat", "system": "You translate."})
    assert found == Example((Message("system", "You translate."), Message("user", "Translate.\n\nchat")), "cat", line=1)


def test_conversational_prompt_and_completion(tmp_path: Path) -> None:
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    found = one(tmp_path, {"prompt": prompt, "completion": [{"role": "assistant", "content": "a"}]})
    assert found == Example((Message("system", "s"), Message("user", "u")), "a", line=1)


def test_objects_become_compact_text_in_their_order(tmp_path: Path) -> None:
    found = one(tmp_path, {"input": "x", "output": {"b": [1, None], "a": "ü"}})
    assert isinstance(found, Example)
    assert found.answer == '{"b":[1,null],"a":"ü"}'


def test_only_short_answers_lose_their_margins(tmp_path: Path) -> None:
    short = one(tmp_path, {"prompt": "x", "completion": " billing\n"})
    code = one(tmp_path, {"prompt": "x", "completion": "    a = 1\n    b = 2\n"})
    assert isinstance(short, Example)
    assert isinstance(code, Example)
    assert (short.answer, code.answer) == ("billing", "    a = 1\n    b = 2\n")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (chat(("user", "q")), "no assistant turn"),
        (chat(("assistant", "a")), "input is empty"),
        (chat(("wizard", "q"), ("assistant", "a")), "unknown role"),
        (chat(("user", "q"), {"role": "assistant", "content": "a", "weight": True}), "between 0 and 1"),
        ({"messages": "nothing"}, "not a list of turns"),
        ({"messages": ["hi"]}, "not an object"),
        (chat(("user", "q"), ("assistant", "a"), tools="nonsense"), "tools"),
    ],
)
def test_faults(tmp_path: Path, row: Any, reason: str) -> None:
    found = one(tmp_path, row)
    assert isinstance(found, BadRow)
    assert reason in found.reason
