"""Bad requests: each an error in OpenAI's shape with the right status; the server and the connection go on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from callers import (
    GPT,
    Json,
    Providers,
    Upstream,
    bearer,
    body_of,
    dial,
    issue,
    raw_call,
    read_answer,
    rss_mb,
    text_of,
    wait_for,
)

from serving import Serving
from standin.spec import check_response, needs_specs

MB = 1 << 20
USER = {"role": "user", "content": "x"}
JSON_TYPE = "content-type: application/json"

MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n ",
    "text": b"hello",
    "cut": b'{"model": "x", "messages": [',
    "after the end": b'{"model": "x", "messages": []} {}',
    "null": b"null",
    "true": b"true",
    "number": b"5",
    "string": b'"x"',
    "list": b"[]",
    "single quotes": b"{'model': 'x'}",
    "comment": b'{"model": "x" /* y */}',
    "not utf-8": b'{"model": "\xff\xfe", "messages": []}',
    "not utf-8 in a message": b'{"model": "%b", "messages": [{"role": "user", "content": "\xff\xc3\x28"}]}'
    % GPT.encode(),
    "utf-16": json.dumps(body_of(GPT)).encode("utf-16"),
    "nul": b"\x00" * 100,
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep message": b'{"model": "%b", "messages": ' % GPT.encode() + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "form": b"model=x&messages=y",
}
WRONG: dict[str, Json] = {
    "nothing": {},
    "no model": {"messages": [USER]},
    "model null": {"model": None, "messages": [USER]},
    "model empty": {"model": "", "messages": [USER]},
    "model a number": {"model": 5, "messages": [USER]},
    "model a list": {"model": [GPT], "messages": [USER]},
    "no messages": {"model": GPT},
    "messages null": {"model": GPT, "messages": None},
    "messages empty": {"model": GPT, "messages": []},
    "messages text": {"model": GPT, "messages": "hello"},
    "messages an object": {"model": GPT, "messages": USER},
    "messages of text": {"model": GPT, "messages": ["hello"]},
    "messages of null": {"model": GPT, "messages": [None]},
    "message without a role": {"model": GPT, "messages": [{"content": "x"}]},
    "role a number": {"model": GPT, "messages": [{"role": 5, "content": "x"}]},
    "stream a text": {"model": GPT, "messages": [USER], "stream": "yes"},
}
ODD_MODELS = [
    "no-such-model", "/", "//", "openrouter/", "openrouter//", "mine/", "/x", " ", "\n", "a\nb",
    "x" * 20_000, "ünï/çødé", "🦜", "../../etc/passwd",
    "openrouter/../../../etc", "%2e%2e/x", "a\x00b", "\ud800", "x/y\r\nevil: 1", "mine/x\r\nauthorization: y",
]  # fmt: skip


@pytest.fixture(scope="module")
def keyless(new_home: Any) -> Iterator[Serving]:
    """A server whose user has no key at all."""
    with Serving(new_home()) as server:
        yield server


def refusal(answer: Any, status: int, path: str = "/chat/completions") -> str:
    """The message of an answer that has to be OpenAI's shape of an error."""
    check_response("openai", path, "post", status, answer)
    return str(answer["error"]["message"])


@needs_specs
@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_body_is_400(server: Serving, router: Upstream, path: str, kind: str) -> None:
    status, _, answer = server.post(path, MALFORMED[kind])
    assert status == 400, answer
    assert len(refusal(answer, status, path)) < 1000
    assert not router.requests


@needs_specs
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_request_is_400_and_names_the_field(server: Serving, router: Upstream, kind: str) -> None:
    status, _, answer = server.post("/chat/completions", WRONG[kind])
    assert status == 400, answer
    said = refusal(answer, status)
    assert any(word in said for word in ("model", "messages", "role", "stream"))
    assert not router.requests


@needs_specs
@pytest.mark.parametrize(
    "wrong", [{"input": "x"}, {"model": GPT}, {"model": 5, "input": "x"}, {"model": GPT, "input": None}]
)
def test_wrong_embeddings_are_400(server: Serving, router: Upstream, wrong: Json) -> None:
    status, _, answer = server.post("/embeddings", wrong)
    assert status == 400, answer
    refusal(answer, status, "/embeddings")


@needs_specs
@pytest.mark.parametrize("model", ODD_MODELS)
def test_an_odd_model_is_an_error_of_the_caller(server: Serving, providers: Providers, model: str) -> None:
    """An unknown name may go to OpenRouter, which then says so; nothing is made of it here."""
    status, _, answer = server.chat(model)
    assert 400 <= status < 500, answer
    refusal(answer, status)
    assert not [
        record for one in (providers.router, providers.mine) for record in one.requests if "evil" in record.headers
    ]


@needs_specs
def test_a_model_that_nobody_has_is_404_with_what_to_do(keyless: Serving) -> None:
    status, _, answer = keyless.chat("support-triage")
    assert status == 404
    assert answer["error"]["code"] == "model_not_found"
    said = refusal(answer, status)
    assert "support-triage" in said
    assert "chapeta models list" in said


@needs_specs
@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("openrouter/openai/gpt-4.1-mini", "openrouter"),
        ("openai/gpt-4.1-mini", "openai"),
        ("ft:gpt-4.1-mini:org::id", "openai"),
        ("anthropic/claude-sonnet-4-5", "anthropic"),
        ("google/gemini-2.5-flash", "google"),
        ("together/me/mine", "together"),
        ("accounts/me/models/mine", "fireworks"),
        ("@preset/mine", "openrouter"),
    ],
)
def test_a_provider_without_a_key_is_401_with_the_remedy(keyless: Serving, model: str, provider: str) -> None:
    for path, body in (("/chat/completions", body_of(model)), ("/embeddings", {"model": model, "input": "x"})):
        status, _, answer = keyless.post(path, body)
        assert status == 401, answer
        assert f"chapeta keys set {provider}" in refusal(answer, status, path)


def test_an_id_that_only_openrouter_may_have_says_so(keyless: Serving) -> None:
    status, _, answer = keyless.chat("some-author/some-model")
    assert status in (401, 404)
    assert "chapeta keys set openrouter" in answer["error"]["message"]


def test_a_text_too_long_for_the_embedded_model_is_400(server: Serving) -> None:
    status, _, answer = server.chat("smollm2-135m", "word " * 20_000, max_tokens=5)
    assert status in (400, 413), answer
    assert "token" in answer["error"]["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": -1},
        {"max_tokens": "x"},
        {"temperature": "hot"},
        {"messages": [{"role": "user"}]},
        {"n": -3},
        {"n": 1_000_000},
        {"response_format": 5},
        {"stop": 5},
        {"tools": "x"},
    ],
)
def test_wrong_options_for_the_embedded_model_are_400(server: Serving, wrong: Json) -> None:
    status, _, answer = server.post("/chat/completions", {**body_of("smollm2-135m"), "max_tokens": 2, **wrong})
    assert status == 400, answer
    assert answer["error"]["message"]


def test_embeddings_of_a_model_that_has_none_are_an_error(server: Serving) -> None:
    status, _, answer = server.post("/embeddings", {"model": "smollm2-135m", "input": "x"})
    assert 400 <= status < 500, answer
    assert "embedding" in answer["error"]["message"]


# Size


@needs_specs
def test_a_body_of_50_mb_is_413_before_it_is_read(server: Serving, router: Upstream) -> None:
    before_mb = rss_mb(server)
    with dial(server) as line:
        line.sendall(head(50 * MB))
        status, headers, answer = read_answer(line)
        assert status == 413
        refusal(json.loads(answer), status)
        assert headers.get("connection") == "close" or not line.recv(1)  # the rest could not be told from a next call
    assert rss_mb(server) - before_mb < 20
    assert server.chat(GPT)[0] == 200
    assert len(router.chats) == 1


def test_a_body_of_50_mb_that_is_sent_all_the_same_is_413(server: Serving, router: Upstream) -> None:
    before_mb = rss_mb(server)
    text = b'{"model": "x", "messages": [{"role": "user", "content": "' + b"x" * 50 * MB + b'"}]}'
    status, _, answer = raw_call(server, head(len(text)) + text)
    assert status == 413
    assert json.loads(answer)["error"]["message"]
    assert rss_mb(server) - before_mb < 60
    assert server.chat(GPT)[0] == 200


def test_a_body_in_chunks_without_a_length_is_413_when_it_has_grown_too_large(server: Serving) -> None:
    piece = b"%x\r\n%b\r\n" % (MB, b"x" * MB)
    start = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n{JSON_TYPE}\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    with dial(server) as line:
        line.sendall(start.encode())
        try:
            for _ in range(200):
                line.sendall(piece)
        except OSError:
            pass
        else:
            raise AssertionError("200 MB were taken")
    assert server.chat(GPT)[0] == 200


def test_a_body_with_pictures_of_16_mb_is_taken(server: Serving, router: Upstream) -> None:
    url = "data:image/png;base64," + "A" * (16 * MB)
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    status, _, answer = server.post(
        "/chat/completions", {"model": GPT, "messages": [{"role": "user", "content": parts}]}
    )
    assert status == 200, answer
    assert len(router.chats[0].body) > 16 * MB


def head(length: int) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: 127.0.0.1", JSON_TYPE, f"content-length: {length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_a_body_that_never_comes_whole_holds_up_nobody(server: Serving, router: Upstream) -> None:
    lines = [dial(server) for _ in range(50)]
    for line in lines:
        line.sendall(head(1000) + b'{"model": ')
    assert server.chat(GPT)[0] == 200
    for line in lines:
        line.close()
    assert len(router.chats) == 1


# HTTP


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_wrong_content_type_is_415(server: Serving, router: Upstream, type: str) -> None:
    """These three are what a page of any site may send without asking first."""
    data = json.dumps(body_of(GPT)).encode()
    status, _, answer = server.request("POST", "/chat/completions", data, content_type=type)
    assert status == 415
    assert "application/json" in answer["error"]["message"]
    assert not router.chats


@pytest.mark.parametrize("type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_by_any_of_its_names_is_taken(server: Serving, router: Upstream, type: str) -> None:
    data = json.dumps(body_of(GPT)).encode()
    assert server.request("POST", "/chat/completions", data, content_type=type)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/chat/completions", "POST"), ("PUT", "/chat/completions", "POST"), ("DELETE", "/chat/completions", "POST"),
        ("GET", "/embeddings", "POST"), ("POST", "/models", "GET"), ("DELETE", f"/models/{GPT}", "GET"),
    ],
)  # fmt: skip
def test_a_wrong_method_is_405_and_told_the_right_one(server: Serving, method: str, path: str, allowed: str) -> None:
    body = json.dumps(body_of(GPT)).encode() if method in ("POST", "PUT") else None
    status, headers, answer = server.request(method, path, body, content_type="application/json")
    assert status == 405
    assert allowed in headers["allow"]
    assert answer["error"]["message"]


@needs_specs
@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/chat", "/chat/completions/x", "/completions", "/../etc/passwd", "/%00"]
)
def test_an_unknown_path_is_404_and_says_what_there_is(server: Serving, path: str) -> None:
    status, _, answer = server.get(path)
    assert status == 404
    assert "/v1/chat/completions" in refusal(answer, status)


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"x" * 200, b"GET\r\n\r\n", b"\x00" * 5000,
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
    ids=["text", "tls", "short", "nul", "negative length", "length is text", "bad chunk", "long header"],
)  # fmt: skip
def test_what_is_not_http_is_closed_or_refused(server: Serving, data: bytes) -> None:
    with dial(server) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            answer = b""
            while more := line.recv(65536):
                answer += more
        except OSError:
            answer = b""
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert server.get("/models/smollm2-135m")[0] == 200


def test_an_error_leaves_the_connection_usable(server: Serving, router: Upstream) -> None:
    connection = server.connection()
    connection.connect()
    sock = connection.sock
    for body, status in ((b"hello", 400), (b"{}", 400), (json.dumps(body_of(GPT)).encode(), 200)):
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        response = connection.getresponse()
        assert response.status == status
        response.read()
        assert connection.sock is sock
    connection.close()


def test_head_and_options_are_answered(server: Serving) -> None:
    place = urlsplit(server.url)
    for method in ("HEAD", "OPTIONS"):
        data = f"{method} /v1/models HTTP/1.1\r\nhost: {place.netloc}\r\nconnection: close\r\n\r\n".encode()
        with dial(server) as line:
            line.sendall(data)
            assert line.recv(100).startswith((b"HTTP/1.1 2", b"HTTP/1.1 405"))


# Files of this machine


@pytest.fixture(scope="module")
def guest(shared_home: Path, shared_server: Serving) -> dict[str, str]:
    """The key of somebody who may be anywhere."""
    headers = bearer(issue(shared_home, "guest"))
    wait_for(lambda: shared_server.get("/models/smollm2-135m", **headers)[0] == 200)
    return headers


@pytest.mark.parametrize(
    "name", ["{file}", "file://{file}", "./model.gguf", "../model.gguf", "/etc/passwd", "~/model.gguf"]
)
def test_a_key_holder_cannot_name_files_of_this_machine(
    server: Serving, guest: dict[str, str], embedded_model: Path, name: str
) -> None:
    model = name.format(file=embedded_model)
    status, _, answer = server.post("/chat/completions", body_of(model, max_tokens=2), **guest)
    assert status in (400, 403, 404), answer
    status, _, answer = server.post("/chat/completions", body_of("openrouter/fault/500", models=[model]), **guest)
    assert status >= 400, answer


def test_a_key_holder_cannot_choose_an_adapter_file(server: Serving, guest: dict[str, str], tmp_path: Path) -> None:
    """What a file's content is must not show in the answer, nor whether it exists."""
    there = tmp_path / "there.gguf"
    there.write_bytes(b"GGUF or not")
    answers = []
    for file in (there, tmp_path / "not-there.gguf"):
        body = body_of("smollm2-135m", max_tokens=2, chapeta={"adapter": str(file), "file": str(file)})
        status, _, answer = server.post("/chat/completions", body, **guest)
        answers.append((status, text_of(answer) if status == 200 else answer["error"]["message"]))
    assert answers[0][0] in (200, 400)
    assert answers[0] == answers[1]
