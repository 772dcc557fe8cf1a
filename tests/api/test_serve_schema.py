"""schemathesis on the server's own OpenAPI: whatever is sent, no 5xx of ours, and answers as the document says.

Good and bad requests are made from the document. In half of those to a model the model is a real one, so that the rest of
the request reaches the stand-in and comes back.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from callers import GPT, Upstream
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving import Serving

OPERATIONS = {
    ("/v1/chat/completions", "POST"): 12,
    ("/v1/embeddings", "POST"): 8,
    ("/v1/models", "GET"): 3,
    ("/v1/models/{model}", "GET"): 8,
    ("/health", "GET"): 3,
}  # and how many examples are enough
MODES = [
    (path, method, mode)
    for path, method in OPERATIONS
    for mode in GenerationMode
    if method == "POST" or mode is GenerationMode.POSITIVE
]  # nothing can be wrong in a GET but its path
REAL = {"/v1/chat/completions": GPT, "/v1/embeddings": "openrouter/openai/text-embedding-3-small"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def document(shared_server: Serving) -> Any:
    place = urlsplit(shared_server.url)
    return schemathesis.openapi.from_url(f"http://{place.netloc}/openapi.json")


@pytest.fixture
def published(document: Any, server: Serving, router: Upstream, openai: Upstream, mine: Upstream) -> Any:
    return document


def test_the_document_lists_all_paths(published: Any) -> None:
    found = {(one.ok().path, one.ok().method.upper()) for one in published.get_all_operations()}
    assert found == set(OPERATIONS)


@pytest.mark.parametrize(("path", "method", "mode"), MODES)
def test_answers_are_as_the_document_says(published: Any, path: str, method: str, mode: GenerationMode) -> None:
    cases = published[path][method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=OPERATIONS[path, method], deadline=None, derandomize=True, phases=[Phase.generate], database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases, real=st.booleans())
    def holds(case: Any, real: bool) -> None:
        if real and path in REAL and isinstance(case.body, dict):
            case.body["model"] = REAL[path]
            if isinstance(case.body.get("n"), int):
                case.body["n"] = min(case.body["n"], 3)  # the stand-in would write a million answers
        case.call_and_validate(checks=CHECKS)

    holds()
