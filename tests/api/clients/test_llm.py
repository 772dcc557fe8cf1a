"""`llm`, the command line, with our models in its extra-openai-models.yaml: as its users set up any such server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

TOOL = 'def get_weather(city: str) -> str:\n    "The weather"\n    return f"weather of {city}: sunny"\n'
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def llm(service: Any, tmp_path: Path) -> Callable[..., list[Done]]:
    """Runs commands of llm at the same time, for it takes a while to start; each has its own folder, as a user has."""
    common = {"api_base": service.url, "supports_schema": True, "supports_tools": True}
    names = {"router": "openrouter/openai/gpt-4.1-mini", "small": "smollm2-135m", "broken": "openrouter/fault/402"}
    models = [{"model_id": model_id, "model_name": name, **common} for model_id, name in names.items()]

    def one(number: int, words: tuple[str, ...]) -> Done:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "extra-openai-models.yaml").write_text(yaml.safe_dump(models))
        return subprocess.run(
            [sys.executable, "-m", "llm", "prompt", *words], capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL, env={**os.environ, "LLM_USER_PATH": str(folder)}, check=False,
        )  # fmt: skip

    def run(*commands: tuple[str, ...]) -> list[Done]:
        with ThreadPoolExecutor(len(commands)) as pool:
            return list(pool.map(one, range(len(commands)), commands))

    return run


def tokens(done: Done) -> tuple[int, int]:
    """Tokens in and out, as `llm -u` tells them."""
    found = re.search(r"Token usage: ([\d,]+) input, ([\d,]+) output", done.stderr)
    assert found, done.stderr
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def test_prompts_through_a_provider(service: Any, llm: Callable[..., list[Done]]) -> None:
    words = ("-m", "router", "-u", "-s", "Be brief.", "one two three")
    streamed, whole, refused, tool = llm(
        words,
        ("--no-stream", *words),
        ("-m", "broken", "hello"),
        ("-m", "router", "--functions", TOOL, "Use get_weather"),
    )
    assert streamed.stdout == whole.stdout == "one two three\n"
    assert tokens(streamed) == tokens(whole)
    assert tokens(whole)[1] == 3
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Insufficient credits" in refused.stderr
    assert tool.stdout.strip(), tool.stderr
    sent = [record.json for record in service.openrouter.chats[-5:]]
    assert {bool(body.get("stream")) for body in sent} == {True, False}
    results = [turn["content"] for body in sent for turn in body["messages"] if turn["role"] == "tool"]
    assert ["sunny" in result for result in results] == [True]


def test_the_embedded_model_streamed_and_not(llm: Callable[..., list[Done]]) -> None:
    words = ("-m", "small", "-u", "-o", "temperature", "0", "-o", "max_tokens", "16", "Who wrote Hamlet?")
    streamed, whole = llm(words, ("--no-stream", *words))
    assert "Shakespeare" in whole.stdout, whole.stderr
    assert streamed.stdout == whole.stdout
    assert tokens(streamed) == tokens(whole)
