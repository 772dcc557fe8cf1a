"""`llm`, the command line, with our models in its extra-openai-models.yaml: as its users set up any such server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

SCHEMA = json.dumps({"type": "object", "properties": {"team": {"enum": ["a", "b"]}}, "required": ["team"]})
TOOL = 'def get_weather(city: str) -> str:\n    "The weather"\n    return f"weather of {city}: sunny"\n'


@pytest.fixture
def folder(service: Any, tmp_path: Path) -> Path:
    common = {"api_base": service.url, "supports_schema": True, "supports_tools": True}
    names = {"router": "openrouter/openai/gpt-4.1-mini", "small": "smollm2-135m", "broken": "openrouter/fault/402"}
    models = [{"model_id": model_id, "model_name": name, **common} for model_id, name in names.items()]
    (tmp_path / "extra-openai-models.yaml").write_text(yaml.safe_dump(models))
    return tmp_path


def llm(folder: Path, *words: str, code: int = 0) -> tuple[str, str]:
    """One command of llm: what it printed, and what it complained."""
    done = subprocess.run(
        [sys.executable, "-m", "llm", *words], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "LLM_USER_PATH": str(folder)}, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def tokens(said: str) -> tuple[int, int]:
    """Tokens in and out, as `llm -u` tells them."""
    found = re.search(r"Token usage: ([\d,]+) input, ([\d,]+) output", said)
    assert found, said
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def test_a_prompt_streamed_and_not(service: Any, folder: Path) -> None:
    streamed, usage = llm(folder, "-m", "router", "-u", "-s", "Be brief.", "one two three")
    assert streamed.strip() == "one two three"
    assert tokens(usage)[1] == 3
    assert service.openrouter.chats[-1].json["stream"] is True
    whole, same = llm(folder, "-m", "router", "-u", "--no-stream", "-s", "Be brief.", "one two three")
    assert whole == streamed
    assert not service.openrouter.chats[-1].json.get("stream")
    assert tokens(same) == tokens(usage)


def test_schemas_and_tools(service: Any, folder: Path) -> None:
    answer, _ = llm(folder, "-m", "router", "--schema", SCHEMA, "which team?")
    assert json.loads(answer)["team"] in ("a", "b")
    answer, _ = llm(folder, "-m", "router", "--functions", TOOL, "Use get_weather")
    assert answer.strip()
    (result,) = [turn for turn in service.openrouter.chats[-1].json["messages"] if turn["role"] == "tool"]
    assert "sunny" in result["content"]


def test_a_refusal_is_said(folder: Path) -> None:
    out, err = llm(folder, "-m", "broken", "hello", code=1)
    assert "Insufficient credits" in err
    assert out == ""


def test_the_embedded_model(folder: Path) -> None:
    question = ("-o", "temperature", "0", "-o", "max_tokens", "16", "Who wrote Hamlet?")
    streamed, usage = llm(folder, "-m", "small", "-u", *question)
    whole, same = llm(folder, "-m", "small", "-u", "--no-stream", *question)
    assert "Shakespeare" in whole
    assert streamed == whole
    assert tokens(usage) == tokens(same)


def test_the_embedded_model_keeps_to_a_schema(folder: Path) -> None:
    answer, _ = llm(folder, "-m", "small", "--schema", SCHEMA, "which team?")
    assert json.loads(answer)["team"] in ("a", "b")
