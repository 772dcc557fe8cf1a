"""What the keys of a JSON object (or the columns of a table) mean: one converter for each known format.

`recognise` looks at the first row and names the format; every later row must have the same one.
Chat turns follow OpenAI's fine-tuning format: the last assistant turn with a weight above 0 is the answer and all turns
before it are the input. Tool calls become JSON text, [{"arguments":…,"name":…}],
keys sorted, so that equal calls are equal text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from chapeta.examples.columns import Columns
from chapeta.examples.rows import ONE_FORMAT, RowFault, as_text, json_text, make_example, weight_of
from chapeta.types import Example, Json, Message, Role

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
}
TEXT_PARTS = ("text", "input_text", "output_text")

Convert = Callable[[Json, int, Columns], Example]


@dataclass(frozen=True, slots=True)
class Format:
    """A named format: the keys that show it, and how one of its rows becomes an example."""

    name: str
    keys: tuple[str, ...]
    convert: Convert

    def example(self, row: Any, line: int, columns: Columns) -> Example:
        """The example in a row, or `RowFault`."""
        if not isinstance(row, dict):
            raise RowFault("The row is not a JSON object.", ONE_FORMAT, row)
        keys = tuple(key for key in (columns.input, columns.output) if key) if self.keys == () else self.keys
        if any(key not in row for key in keys):
            raise RowFault(f"The row is not {self.name}.", ONE_FORMAT, f"keys: {', '.join(map(str, row))}")
        return self.convert(row, line, columns)


def recognise(names: Iterable[str], columns: Columns, source: str) -> tuple[Format, Columns]:
    """The format of rows with these keys, and the columns to read; `BadInput` lists the keys when none fits."""
    present = list(names)
    if not columns.maps:
        for known in FORMATS:
            if all(key in present for key in known.keys):
                columns.require(present, source)
                return known, Columns(group=columns.group or "group", weight=columns.weight or "weight")
    return COLUMNS, columns.resolve(present, source)


def _chat(row: Json, line: int, columns: Columns) -> Example:
    return _conversation(row["messages"], row, line, columns)


def _sharegpt(row: Json, line: int, columns: Columns) -> Example:
    return _conversation(row["conversations"], row, line, columns)


def _prompt_completion(row: Json, line: int, columns: Columns) -> Example:
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, list) or isinstance(completion, list):
        asked = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        answered = completion if isinstance(completion, list) else [{"role": "assistant", "content": completion}]
        return _conversation([*asked, *answered], row, line, columns)
    return _plain(row, as_text(prompt), as_text(completion), line, columns)


def _alpaca(row: Json, line: int, columns: Columns) -> Example:
    parts = [as_text(row["instruction"]), as_text(row.get("input"))]
    return _plain(row, "\n\n".join(part for part in parts if part), as_text(row["output"]), line, columns)


def _columns(row: Json, line: int, columns: Columns) -> Example:
    return _plain(row, as_text(row[columns.input or ""]), as_text(row[columns.output or ""]), line, columns)


FORMATS = (
    Format("OpenAI chat", ("messages",), _chat),
    Format("ShareGPT", ("conversations",), _sharegpt),
    Format("Alpaca", ("instruction", "output"), _alpaca),
    Format("prompt/completion", ("prompt", "completion"), _prompt_completion),
)
COLUMNS = Format("input/output", (), _columns)


def _plain(row: Json, question: str, answer: str, line: int, columns: Columns) -> Example:
    """One user turn; a "system" key of the known formats goes before it."""
    system = "" if columns.input else as_text(row.get("system"))
    head = (Message("system", system),) if system.strip() else ()
    if not question.strip():
        raise RowFault("The input is empty.", "Give the row an input, or delete it.")
    weight = weight_of(row.get(columns.weight or ""))
    return make_example((*head, Message("user", question)), answer, line, weight, _tools(row), _group(row, columns))


def _conversation(turns: Any, row: Json, line: int, columns: Columns) -> Example:
    if not isinstance(turns, list) or not turns:
        raise RowFault(
            "The conversation is not a list of turns.", "Write a list of objects with role and content.", turns
        )
    messages = [_turn(turn) for turn in turns]
    system = as_text(row.get("system"))
    if system.strip():
        messages.insert(0, Message("system", system))
    answers = [i for i, message in enumerate(messages) if message.role == "assistant"]
    if not answers:
        raise RowFault("There is no assistant turn.", "End the conversation with the answer, role assistant.")
    trained = [i for i in answers if messages[i].weight > 0]
    last = trained[-1] if trained else answers[-1]
    weight = messages[last].weight * weight_of(row.get(columns.weight or "weight"))
    answer = messages[last].content
    return make_example(tuple(messages[:last]), answer, line, weight, _tools(row), _group(row, columns))


def _turn(turn: Any) -> Message:
    """A turn with role and content (OpenAI) or from and value (ShareGPT)."""
    if not isinstance(turn, dict):
        raise RowFault("A turn is not an object.", "Write each turn as an object with role and content.", turn)
    said = turn.get("role", turn.get("from"))
    role = ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise RowFault("A turn has an unknown role.", "Use system, user, assistant or tool.", said)
    content = _content(turn.get("content", turn.get("value")))
    calls = _tool_calls(turn)
    return Message(role, "\n".join(part for part in (content, calls) if part), weight_of(turn.get("weight")))


def _content(content: Any) -> str:
    """A text, or the texts of a list of parts, joined."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content if isinstance(content, list) else [content]:
        is_text = isinstance(part, dict) and part.get("type") in TEXT_PARTS and isinstance(part.get("text"), str)
        if not is_text:
            raise RowFault("A turn's content is not text.", "Write it as a string or as parts of type text.", part)
        texts.append(part["text"])
    return "".join(texts)


def _tool_calls(turn: Json) -> str:
    """Tool calls (or the older single function call) as canonical JSON text, "" without any."""
    calls = turn.get("tool_calls") or ([{"function": turn["function_call"]}] if turn.get("function_call") else [])
    if not calls:
        return ""
    fault = RowFault(
        "A tool call has no name or its arguments are not JSON.", "Write name and arguments (JSON).", calls
    )
    canonical = []
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise fault
        arguments = function.get("arguments", {})
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except (ValueError, RecursionError):
                raise fault from None
        canonical.append({"name": function["name"], "arguments": arguments})
    return json_text(canonical, sort_keys=True)


def _tools(row: Json) -> tuple[Json, ...]:
    tools = _parsed(row.get("tools"))
    if not tools:
        return ()
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise RowFault("The tools are not a list of tool definitions.", "Write tools as a list of objects.", tools)
    return tuple(tools)


def _parsed(value: Any) -> Any:
    """JSON text (a table's cell) as its value; anything else, and text that is not JSON, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _group(row: Json, columns: Columns) -> str:
    return as_text(row.get(columns.group)) if columns.group else ""
