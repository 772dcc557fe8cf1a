"""Who may call: access keys with their models and rates; on loopback anyone, on other addresses nobody without a key."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from callers import (
    CLAUDE,
    GPT,
    Json,
    Providers,
    Stream,
    Upstream,
    bearer,
    body_of,
    checked,
    command,
    environment,
    issue,
    raw_call,
    row,
    text_of,
    wait_for,
)

from serving import Serving
from standin.spec import check_response, needs_specs

KEYS = {
    "free": (),
    "narrow": ("--models", "openrouter/openai/*,sort-*"),
    "mini": ("--models", "openai/gpt-4.1-mini"),
    "fast": ("--rate", "3/min"),
    "revoked": (),
    "soon": ("--expires", "30d"),
}


@pytest.fixture(scope="module")
def keys_home(new_home: Any, providers: Providers) -> Path:
    home: Path = new_home()
    providers.point(home)
    return home


@pytest.fixture(scope="module")
def tokens(keys_home: Path) -> dict[str, str]:
    return {name: issue(keys_home, name, *options) for name, options in KEYS.items()}


@pytest.fixture(scope="module")
def running(keys_home: Path, tokens: dict[str, str], providers: Providers) -> Iterator[Serving]:
    with Serving(keys_home, "--require-key", **providers.variables) as server:
        yield server


@pytest.fixture
def guarded(running: Serving) -> Iterator[Serving]:
    """A server that asks for a key on loopback too."""
    yield from checked(running)


def chat(server: Serving, token: str, model: str = GPT, **more: Any) -> tuple[int, dict[str, str], Any]:
    return server.post("/chat/completions", body_of(model, **more), **bearer(token))


# With and without a key


def test_on_loopback_no_key_is_needed_and_any_is_taken(server: Serving, router: Upstream) -> None:
    assert server.chat(GPT)[0] == 200
    assert server.post("/chat/completions", body_of(GPT), **bearer("sk-anything"))[0] == 200


@needs_specs
@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
def test_where_a_key_is_required_a_call_without_one_is_401(guarded: Serving, router: Upstream, path: str) -> None:
    status, headers, answer = guarded.post(path, body_of(GPT))
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")
    check_response("openai", path, "post", 401, answer)
    assert "chapeta keys issue" in answer["error"]["message"]
    assert not router.requests


def test_the_list_of_models_needs_the_key_too(guarded: Serving, tokens: dict[str, str]) -> None:
    assert guarded.get("/models")[0] == 401
    assert guarded.get("/models", **bearer(tokens["free"]))[0] == 200


WRONG = [
    "chapeta-" + "x" * 43,
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    "x",
    "ünï".encode().decode("latin-1"),
    "x" * 10_000,
]


@pytest.mark.parametrize("token", WRONG)
def test_an_unknown_key_is_401_and_not_said_again(guarded: Serving, router: Upstream, token: str) -> None:
    status, _, answer = chat(guarded, token)
    assert status == 401
    assert token == "x" or token not in json.dumps(answer)
    assert not router.chats


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic Ym9iOmJvYg==", "{}", "bearer {}", "Bearer  {}", "Bearer {} x"]
)
def test_odd_authorization_headers_are_answered(guarded: Serving, tokens: dict[str, str], header: str) -> None:
    status, _, _ = guarded.post("/chat/completions", body_of(GPT), authorization=header.format(tokens["free"]))
    assert status == (200 if header.startswith("bearer {") else 401) or header in ("Bearer  {}", "{}")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_good_key_is_let_in_and_named_in_the_ledger(
    guarded: Serving, router: Upstream, tokens: dict[str, str], keys_home: Path, streamed: bool
) -> None:
    status, headers, _ = chat(guarded, tokens["free"], stream=streamed)
    assert status == 200
    assert row(keys_home, id=headers["x-request-id"])["key_name"] == "free"


def test_a_callers_key_and_cookies_never_reach_a_provider(
    guarded: Serving, router: Upstream, mine: Upstream, tokens: dict[str, str]
) -> None:
    body = body_of(GPT)
    guarded.post("/chat/completions", body, cookie="session=abc", x_api_key=tokens["free"], **bearer(tokens["free"]))
    guarded.post(
        "/chat/completions", {**body, "model": "mine/openai/gpt-4.1-mini"}, cookie="a=b", **bearer(tokens["free"])
    )
    for record in (*router.chats, *mine.chats):
        assert tokens["free"] not in str(record.headers)
        assert "cookie" not in record.headers
    assert "authorization" not in mine.chats[0].headers


def test_keys_are_stored_hashed(tokens: dict[str, str], keys_home: Path) -> None:
    for file in keys_home.rglob("*"):
        if file.is_file() and "models" not in file.parts:
            content = file.read_bytes()
            assert not [name for name, token in tokens.items() if token.encode() in content], file


def test_a_key_made_while_the_server_runs_is_known_soon_and_unknown_soon_after_it_is_revoked(
    guarded: Serving, router: Upstream, keys_home: Path
) -> None:
    token = issue(keys_home, "later")
    wait_for(lambda: chat(guarded, token)[0] == 200)
    assert command(keys_home, "keys", "revoke", "later")[0] == 0
    wait_for(lambda: chat(guarded, token)[0] == 401)


def test_a_key_that_has_expired_is_401_and_told_so(guarded: Serving, router: Upstream, keys_home: Path) -> None:
    end = datetime.now(UTC) + timedelta(seconds=2)
    token = issue(keys_home, "brief", "--expires", end.isoformat())
    answer = wait_for(lambda: found[2] if "expired" in str((found := chat(guarded, token))[2]) else None)
    assert datetime.now(UTC) >= end
    assert "brief" in answer["error"]["message"]
    assert "chapeta keys issue" in answer["error"]["message"]
    assert chat(guarded, token)[0] == 401


def test_a_call_that_runs_when_its_key_is_revoked_ends_well(
    guarded: Serving, router: Upstream, keys_home: Path
) -> None:
    token = issue(keys_home, "passing")
    wait_for(lambda: guarded.get("/models/smollm2-135m", **bearer(token))[0] == 200)
    router.next_fault("stall-mid")
    with Stream(guarded, body_of(GPT, "one two three four"), **bearer(token)) as stream:
        wait_for(lambda: router.chats and router.chats[0].stalled)
        assert command(keys_home, "keys", "revoke", "passing")[0] == 0
        wait_for(lambda: guarded.get("/models/smollm2-135m", **bearer(token))[0] == 401)
        router.release()
        assert list(stream.events())[-1] == "[DONE]"


# Models


def test_a_key_for_some_models_opens_those_alone(guarded: Serving, router: Upstream, tokens: dict[str, str]) -> None:
    assert chat(guarded, tokens["narrow"], GPT)[0] == 200
    status, _, answer = chat(guarded, tokens["narrow"], CLAUDE)
    assert status == 403
    assert "narrow" in answer["error"]["message"]
    assert "openrouter/openai/*" in answer["error"]["message"]
    assert [found.json and found.json["model"] for found in router.chats] == ["openai/gpt-4.1-mini"]


@pytest.mark.parametrize(
    "typed", ["anthropic/claude-sonnet-4.5", "smollm2-135m", "gpt-4.1-mini", "mine/x", "no-such", "SORT-x"]
)
def test_other_ways_to_write_a_model_do_not_get_around_a_key(
    guarded: Serving, router: Upstream, openai: Upstream, mine: Upstream, tokens: dict[str, str], typed: str
) -> None:
    assert chat(guarded, tokens["narrow"], typed)[0] in (403, 404)
    assert not (router.chats or openai.chats or mine.chats)


def test_fallbacks_are_held_to_a_keys_models(guarded: Serving, router: Upstream, tokens: dict[str, str]) -> None:
    status, _, answer = chat(guarded, tokens["narrow"], "openrouter/openai/none", models=[CLAUDE, GPT])
    assert status in (200, 403), answer
    asked = [(found.json or {}) for found in router.chats]
    assert not [body for body in asked if "anthropic" in str(body.get("model")) + str(body.get("models"))]


def test_a_model_named_twice_does_not_get_around_a_key(
    guarded: Serving, router: Upstream, tokens: dict[str, str]
) -> None:
    for first, second in ((GPT, CLAUDE), (CLAUDE, GPT)):
        names = json.dumps({"model": first})[:-1] + ", " + json.dumps({"model": second})[1:-1]
        body = names.encode() + b', "messages": [{"role": "user", "content": "x"}]}'
        guarded.post("/chat/completions", body, **bearer(tokens["narrow"]))
    for found in router.chats:
        assert b"anthropic" not in found.body


def test_the_list_of_models_has_those_that_a_key_opens(guarded: Serving, tokens: dict[str, str]) -> None:
    ids = [line["id"] for line in guarded.get("/models", **bearer(tokens["narrow"]))[2]["data"]]
    assert GPT in ids
    assert all(one.startswith("openrouter/openai/") for one in ids)
    assert guarded.get(f"/models/{GPT}", **bearer(tokens["narrow"]))[0] == 200
    assert guarded.get(f"/models/{CLAUDE}", **bearer(tokens["narrow"]))[0] in (403, 404)


def test_a_key_for_one_model_of_openais(guarded: Serving, openai: Upstream, tokens: dict[str, str]) -> None:
    assert chat(guarded, tokens["mini"], "openai/gpt-4.1-mini")[0] == 200
    assert chat(guarded, tokens["mini"], "openai/gpt-4.1")[0] == 403


def test_embeddings_are_held_to_a_keys_models(guarded: Serving, router: Upstream, tokens: dict[str, str]) -> None:
    body: Json = {"model": "openrouter/openai/text-embedding-3-small", "input": "x"}
    assert guarded.post("/embeddings", body, **bearer(tokens["narrow"]))[0] == 200
    assert guarded.post("/embeddings", {**body, "model": "mine/x"}, **bearer(tokens["narrow"]))[0] == 403


# Rates


@needs_specs
def test_a_caller_that_is_too_fast_is_429_with_retry_after(
    guarded: Serving, router: Upstream, tokens: dict[str, str]
) -> None:
    answers = [chat(guarded, tokens["fast"]) for _ in range(5)]
    assert [status for status, _, _ in answers] == [200] * 3 + [429] * 2
    _, headers, answer = answers[-1]
    assert 1 <= int(headers["retry-after"]) <= 60
    check_response("openai", "/chat/completions", "post", 429, answer)
    assert "3/min" in answer["error"]["message"]
    assert len(router.chats) == 3


def test_the_rate_of_one_key_is_not_anothers(guarded: Serving, router: Upstream, tokens: dict[str, str]) -> None:
    for _ in range(5):
        chat(guarded, tokens["fast"])
        assert chat(guarded, tokens["free"])[0] == 200


# Addresses


def test_another_address_than_loopback_needs_a_key_to_start(new_home: Any) -> None:
    words = [sys.executable, "-m", "chapeta.cli.main", "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, env=environment(CHAPETA_HOME=str(new_home())), check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "chapeta keys issue" in done.stderr
    assert not done.stdout


def test_with_a_key_it_starts_on_any_address_and_asks_for_it(
    keys_home: Path, tokens: dict[str, str], providers: Providers, router: Upstream
) -> None:
    with Serving(keys_home, "--host", "0.0.0.0", **providers.variables) as server:
        assert server.chat(GPT)[0] == 401
        assert chat(server, tokens["free"])[0] == 200
        data = json.dumps(body_of(GPT)).encode()
        lines = [f"POST /v1/chat/completions HTTP/1.1\r\nhost: my-machine.lan\r\ncontent-length: {len(data)}"]
        lines += [f"authorization: Bearer {tokens['free']}", "content-type: application/json", "connection: close"]
        place = urlsplit(server.url)
        assert place.port
        assert raw_call(server, "\r\n".join(lines).encode() + b"\r\n\r\n" + data)[0] == 200  # its name in the network
    assert "Traceback" not in server.err


def raw_post(server: Serving, *headers: str) -> tuple[int, dict[str, str], bytes]:
    data = json.dumps(body_of(GPT, "one two")).encode()
    lines = ["POST /v1/chat/completions HTTP/1.1", "content-type: application/json", f"content-length: {len(data)}"]
    return raw_call(server, "\r\n".join([*lines, *headers, "connection: close"]).encode() + b"\r\n\r\n" + data)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "1.2.3.4"]
)
def test_a_foreign_host_name_is_403_on_loopback(server: Serving, router: Upstream, host: str) -> None:
    """A page whose name was turned to 127.0.0.1 (DNS rebinding) would call with its own name."""
    status, _, answer = raw_post(server, f"host: {host}")
    assert status == 403
    assert json.loads(answer)["error"]["message"]
    assert not router.chats


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:8484", "[::1]:8484", "LOCALHOST"])
def test_names_of_this_machine_are_taken(server: Serving, router: Upstream, host: str) -> None:
    status, _, answer = raw_post(server, f"host: {host}")
    assert status == 200, answer
    assert text_of(json.loads(answer)) == "one two"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1.evil.example", "null", "file://", "chrome-extension://x"]
)
def test_a_page_of_another_site_is_403(server: Serving, router: Upstream, origin: str) -> None:
    status, headers, answer = raw_post(server, "host: 127.0.0.1", f"origin: {origin}")
    assert status == 403
    assert "access-control-allow-origin" not in headers
    assert json.loads(answer)["error"]["message"]
    assert not router.chats


def test_a_page_of_the_servers_own_address_is_served(server: Serving, router: Upstream) -> None:
    place = urlsplit(server.url)
    assert raw_post(server, f"host: {place.netloc}", f"origin: http://{place.netloc}")[0] == 200
