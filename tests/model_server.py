"""A provider's list of models on loopback, over real HTTP: pages as OpenRouter and Anthropic send them, and refusals."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Query = dict[str, str]
Answer = Callable[[Query], tuple[int, Any]]


class ModelServer:
    """Answers GETs by path; remembers path, query and headers of each."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.seen: list[tuple[str, Query, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                server.seen.append((parts.path, query, {name.lower(): v for name, v in self.headers.items()}))
                status, value = server.answers.get(parts.path, lambda _: (404, {"error": {"message": "no such page"}}))(
                    query
                )
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextlib.contextmanager
def serving(answers: dict[str, Answer]) -> Iterator[ModelServer]:
    server = ModelServer(answers)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


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
