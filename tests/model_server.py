"""A provider's list of models on loopback, over real HTTP: pages as OpenRouter and Anthropic send them, and refusals."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import loopback

Query = dict[str, str]
Answer = Callable[[Query], tuple[int, Any]]


class ModelServer:
    """Answers GETs by path; remembers path, query and headers of each."""

    def __init__(self, server: loopback.Server, answers: dict[str, loopback.Answer]) -> None:
        self.url = server.url
        self._server = server
        self._answers = answers

    def answer(self, path: str, answer: Answer) -> None:
        """Answers a path so from now on."""
        self._answers[path] = _as_json(answer)

    @property
    def seen(self) -> list[tuple[str, Query, dict[str, str]]]:
        split = [(urlsplit(path), headers) for path, headers in self._server.seen]
        return [(parts.path, dict(parse_qsl(parts.query)), headers) for parts, headers in split]


@contextlib.contextmanager
def serving(answers: dict[str, Answer]) -> Iterator[ModelServer]:
    sent = {path: _as_json(answer) for path, answer in answers.items()}
    with loopback.serving(sent) as server:
        yield ModelServer(server, sent)


def _as_json(answer: Answer) -> loopback.Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        status, value = answer(dict(parse_qsl(urlsplit(handler.path).query)))
        loopback.reply(status, json.dumps(value).encode())(handler)

    return send


def always(value: Any, status: int = 200) -> Answer:
    return lambda _: (status, value)


def openrouter_pages(rows: list[dict[str, Any]], size: int) -> Answer:
    """Pages by offset and limit, at most `size` rows each, with a link to the next: as in OpenRouter's OpenAPI."""

    def answer(query: Query) -> tuple[int, Any]:
        start = int(query.get("offset", "0"))
        end = start + min(size, int(query.get("limit", "500")))
        following = f"/api/v1/models?offset={end}&limit={size}" if end < len(rows) else None
        return 200, {"data": rows[start:end], "links": {"next": following}, "total_count": len(rows)}

    return answer


def openrouter_row(id: str, **changes: Any) -> dict[str, Any]:
    """A row as OpenRouter's OpenAPI shows it."""
    row: dict[str, Any] = {
        "id": id,
        "canonical_slug": id,
        "name": id.rpartition("/")[2].title(),
        "created": 1_780_000_000,
        "context_length": 131_072,
        "architecture": {"modality": "text->text", "input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0.000001", "completion": "0.000004", "request": "0", "image": "0"},
        "top_provider": {"context_length": 131_072, "is_moderated": False, "max_completion_tokens": 4096},
        "supported_parameters": ["temperature", "max_tokens"],
        "expiration_date": None,
    }
    return {**row, **changes}
