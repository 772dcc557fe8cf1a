"""`llm`, the command line, with our models in its extra-openai-models.yaml: as its users set up any such server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from llm.cli import cli

TOOL = 'def get_weather(city: str) -> str:\n    "The weather"\n    return f"weather of {city}: sunny"\n'
SMALL = ("-m", "small", "-u", "-o", "temperature", "0", "-o", "max_tokens", "16", "Who wrote Hamlet?")


@pytest.fixture
def folder(service: Any, tmp_path: Path) -> Path:
    common = {"api_base": service.url, "supports_tools": True}
    names = {"router": "openrouter/openai/gpt-4.1-mini", "small": "smollm2-135m", "broken": "openrouter/fault/402"}
    models = [{"model_id": model_id, "model_name": name, **common} for model_id, name in names.items()]
    (tmp_path / "extra-openai-models.yaml").write_text(yaml.safe_dump(models))
    return tmp_path


@pytest.fixture
def llm(folder: Path) -> Callable[..., Result]:
    """Runs one of its commands in this process, for it takes two seconds to start."""

    def run(*words: str) -> Result:
        return CliRunner(env={"LLM_USER_PATH": str(folder)}).invoke(cli, ["prompt", *words])

    return run


def tokens(said: str) -> tuple[int, int]:
    """Tokens in and out, as `llm -u` tells them."""
    found = re.search(r"Token usage: ([\d,]+) input, ([\d,]+) output", said)
    assert found, said
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def test_a_prompt_streamed_and_not(service: Any, llm: Callable[..., Result]) -> None:
    words = ("-m", "router", "-u", "-s", "Be brief.", "one two three")
    streamed = llm(*words)
    assert service.openrouter.chats[-1].json["stream"] is True
    whole = llm("--no-stream", *words)
    assert not service.openrouter.chats[-1].json.get("stream")
    assert streamed.stdout == whole.stdout == "one two three\n"
    assert tokens(streamed.stderr) == tokens(whole.stderr)
    assert tokens(whole.stderr)[1] == 3


def test_a_tool(service: Any, llm: Callable[..., Result]) -> None:
    done = llm("-m", "router", "--functions", TOOL, "Use get_weather")
    assert done.stdout.strip(), done.stderr
    results = [turn["content"] for turn in service.openrouter.chats[-1].json["messages"] if turn["role"] == "tool"]
    assert ["sunny" in result for result in results] == [True]


def test_a_refusal_is_said(llm: Callable[..., Result]) -> None:
    refused = llm("-m", "broken", "hello")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Insufficient credits" in refused.stderr


def test_the_embedded_model_streamed_and_not(folder: Path, llm: Callable[..., Result]) -> None:
    """The stream by the command as it is typed."""
    whole = llm("--no-stream", *SMALL)
    assert "Shakespeare" in whole.stdout, whole.stderr
    streamed = subprocess.run(
        [sys.executable, "-m", "llm", "prompt", *SMALL], capture_output=True, text=True, timeout=120, check=True,
        stdin=subprocess.DEVNULL, env={**os.environ, "LLM_USER_PATH": str(folder)},
    )  # fmt: skip
    assert streamed.stdout == whole.stdout
    assert tokens(streamed.stderr) == tokens(whole.stderr)
