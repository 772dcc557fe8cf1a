"""What can be named as a model: listed ones, any typed-in id, deployments, and the embedded engine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from callers import (
    GPT,
    OPENAI_KEY,
    TOGETHER_KEY,
    Providers,
    Upstream,
    at_once,
    bearer,
    body_of,
    children,
    chunks_of,
    command_line,
    inside,
    issue,
    row,
    streamed_text,
    text_of,
    wait_for,
)

from chapeta import deployments
from chapeta.types import Candidate, Decoding, Example, Labels, Message, Schema
from serving import Serving
from standin.server import KEY
from standin.spec import check_response, needs_specs

DESK = {
    "type": "object",
    "properties": {"desk": {"enum": ["delivery", "billing"]}},
    "required": ["desk"],
    "additionalProperties": False,
}
SHOT = Example((Message("user", "lamp is lost"),), "delivery")


@pytest.fixture(scope="module", autouse=True)
def deployed(shared_home: Path) -> None:
    with inside(shared_home):
        made = Candidate("few-shot", GPT, Decoding(max_tokens=7), "You sort notes.", (SHOT,))
        deployments.deploy("sort-notes", made)
        deployments.deploy("as-json", Candidate("base", GPT, Decoding(max_tokens=64, constraint=Schema(DESK))))
        labels = Labels(("delivery", "billing"))
        deployments.deploy("as-label", Candidate("base", GPT, Decoding(max_tokens=8, constraint=labels)))
        deployments.deploy("local-label", Candidate("base", "smollm2-135m", Decoding(max_tokens=8, constraint=labels)))
        down = Candidate("base", "openrouter/fault/503?retry_after_s=100", Decoding(max_tokens=7), "You sort notes.")
        deployments.deploy("with-fallbacks", down, ("openrouter/fault/500", "openai/gpt-4.1-mini"))


@pytest.fixture(scope="module")
def only_router(new_home: Any, providers: Providers) -> Iterator[Serving]:
    """A server whose user has no key but OpenRouter's."""
    home = new_home()
    providers.point(home)
    with Serving(home, OPENROUTER_API_KEY=KEY) as server:
        yield server


# Lists


@needs_specs
def test_the_list_of_models_fits_openais_description(server: Serving) -> None:
    status, _, answer = server.get("/models")
    assert status == 200
    check_response("openai", "/models", "get", 200, answer)


def test_the_list_has_deployments_the_embedded_model_and_those_of_providers_with_a_key(server: Serving) -> None:
    ids = [line["id"] for line in server.get("/models")[2]["data"]]
    assert {"sort-notes", "as-json", "smollm2-135m", GPT} <= set(ids)
    assert len(ids) == len(set(ids))
    assert not [one for one in ids if one.startswith(("anthropic/", "google/"))]  # there is no key of theirs


@needs_specs
@pytest.mark.parametrize("name", [GPT, GPT.replace("/", "%2F"), "sort-notes", "smollm2-135m"])
def test_one_model_is_shown(server: Serving, name: str) -> None:
    status, _, answer = server.get(f"/models/{name}")
    assert status == 200, answer
    assert answer["id"] == name.replace("%2F", "/")
    check_response("openai", f"/models/{name.replace('/', '%2F')}", "get", 200, answer)


@needs_specs
def test_a_model_that_is_not_there_is_404(server: Serving) -> None:
    status, _, answer = server.get("/models/no-such-model")
    assert status == 404
    check_response("openai", "/models/no-such-model", "get", 404, answer)


# Ids as they are typed


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("openrouter/some-author/tuned-model-of-today", "some-author/tuned-model-of-today"),
        ("some-author/tuned-model-of-today", "some-author/tuned-model-of-today"),
        ("openrouter/openai/gpt-4.1-mini:nitro", "openai/gpt-4.1-mini:nitro"),
        ("openrouter/openrouter/auto", "openrouter/auto"),
        ("@preset/my-preset", "@preset/my-preset"),
        ("openrouter/@preset/my-preset", "@preset/my-preset"),
        ("~anthropic/claude-sonnet-latest", "~anthropic/claude-sonnet-latest"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4.5"),  # there is no key of Anthropic's
    ],
)
def test_an_id_goes_to_openrouter_as_typed_listed_or_not(
    server: Serving, router: Upstream, typed: str, asked: str
) -> None:
    server.chat(typed)
    assert [chat.json and chat.json["model"] for chat in router.chats] == [asked]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("openai/gpt-4.1-mini", "gpt-4.1-mini"),
        ("gpt-4.1-mini", "gpt-4.1-mini"),
        ("ft:gpt-4.1-mini-2025-04-14:my-org::AbC123", "ft:gpt-4.1-mini-2025-04-14:my-org::AbC123"),
        ("openai/ft:gpt-4.1-mini-2025-04-14:my-org::AbC123", "ft:gpt-4.1-mini-2025-04-14:my-org::AbC123"),
    ],
)
def test_an_id_of_openais_goes_to_openai_with_its_key(
    server: Serving, openai: Upstream, router: Upstream, typed: str, asked: str
) -> None:
    status, _, answer = server.chat(typed)
    assert status == 200, answer
    assert openai.last["model"] == asked
    assert openai.chats[-1].headers["authorization"] == f"Bearer {OPENAI_KEY}"
    assert not router.chats


def test_openais_models_are_reached_through_openrouter_where_only_its_key_is(
    only_router: Serving, router: Upstream
) -> None:
    status, _, answer = only_router.chat("openai/gpt-4.1-mini")
    assert status == 200, answer
    assert router.last["model"] == "openai/gpt-4.1-mini"


@pytest.mark.parametrize("models", [["google/x", "fireworks/x", GPT], [GPT, "fireworks/x"]])
def test_a_fallback_without_a_key_takes_nothing_from_the_others(
    only_router: Serving, router: Upstream, models: list[str]
) -> None:
    status, _, answer = only_router.chat("together/x", "one two", models=models)
    assert status == 200, answer
    assert text_of(answer) == "one two"


def test_a_tuned_model_of_openais_is_never_sent_to_openrouter(only_router: Serving, router: Upstream) -> None:
    status, _, answer = only_router.chat("ft:gpt-4.1-mini:my-org::AbC123")
    assert status == 401
    assert "chapeta keys set openai" in answer["error"]["message"]
    assert not router.chats


def test_an_address_of_ones_own_is_a_provider(server: Serving, mine: Upstream) -> None:
    status, _, answer = server.chat("mine/openai/gpt-4.1-mini")
    assert status == 200, answer
    assert mine.last["model"] == "openai/gpt-4.1-mini"
    assert "authorization" not in mine.chats[-1].headers


def test_a_tuned_model_of_ones_own_account_is_reached(server: Serving, mine: Upstream) -> None:
    server.chat("together/my-project/my-tuned-model")
    assert mine.last["model"] == "my-project/my-tuned-model"
    assert mine.chats[-1].headers["authorization"] == f"Bearer {TOGETHER_KEY}"


# Deployments


@pytest.mark.parametrize("streamed", [False, True])
def test_a_deployment_adds_its_instructions_and_examples(server: Serving, router: Upstream, streamed: bool) -> None:
    status, _, answer = server.chat("sort-notes", "tent is lost", stream=streamed)
    assert status == 200, answer
    assert router.last["model"] == "openai/gpt-4.1-mini"
    assert router.last["messages"] == [
        {"role": "system", "content": "You sort notes."},
        {"role": "user", "content": "lamp is lost"},
        {"role": "assistant", "content": "delivery"},
        {"role": "user", "content": "tent is lost"},
    ]
    said = streamed_text(chunks_of(answer)) if streamed else text_of(answer)
    assert said == "tent is lost"


def test_a_deployment_sets_how_its_answers_are_sampled(server: Serving, router: Upstream) -> None:
    server.chat("sort-notes")
    asked = router.last
    assert asked.get("max_tokens", asked.get("max_completion_tokens")) == 7
    assert asked["temperature"] == 0


def test_a_callers_own_options_go_through_a_deployment(server: Serving, router: Upstream) -> None:
    server.chat("sort-notes", temperature=0.7, max_tokens=3, provider={"order": ["azure"]}, user="bob")
    asked = router.last
    assert asked["temperature"] == 0.7
    assert asked["max_tokens"] == 3
    assert asked["provider"] == {"order": ["azure"]}
    assert asked["user"] == "bob"


def test_a_callers_system_message_comes_after_the_deployments(server: Serving, router: Upstream) -> None:
    messages = [{"role": "system", "content": "Answer in French."}, {"role": "user", "content": "tent"}]
    assert server.post("/chat/completions", {"model": "sort-notes", "messages": messages})[0] == 200
    (system, *rest) = router.last["messages"]
    assert system == {"role": "system", "content": "You sort notes.\n\nAnswer in French."}
    assert [message["role"] for message in rest] == ["user", "assistant", "user"]


def test_pictures_and_tool_turns_go_through_a_deployment(server: Serving, router: Upstream) -> None:
    parts = [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    status, _, answer = server.post("/chat/completions", {"model": "sort-notes", "messages": messages})
    assert status == 200, answer
    assert router.last["messages"][-3:] == messages


def test_a_deployment_with_a_schema_asks_for_it(server: Serving, router: Upstream) -> None:
    status, _, answer = server.chat("as-json", "lamp is lost")
    assert status == 200, answer
    assert router.last["response_format"]["type"] == "json_schema"
    assert router.last["response_format"]["json_schema"]["schema"] == DESK
    assert json.loads(text_of(answer))["desk"] in ("delivery", "billing")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_deployment_with_labels_answers_with_one(server: Serving, router: Upstream, streamed: bool) -> None:
    status, _, answer = server.chat("as-label", "lamp is lost", stream=streamed)
    assert status == 200, answer
    said = streamed_text(chunks_of(answer)) if streamed else text_of(answer)
    assert said in ("delivery", "billing")


def test_the_ledger_names_the_deployment_and_its_model(server: Serving, router: Upstream, shared_home: Path) -> None:
    _, headers, _ = server.chat("sort-notes")
    found = row(shared_home, id=headers["x-request-id"])
    assert (found["deployment"], found["model"], found["provider"]) == ("sort-notes", GPT, "openrouter")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_deployments_fallbacks_take_over(
    server: Serving, router: Upstream, openai: Upstream, shared_home: Path, streamed: bool
) -> None:
    status, headers, answer = server.chat("with-fallbacks", "tent", stream=streamed)
    assert status == 200, answer
    assert (streamed_text(chunks_of(answer)) if streamed else text_of(answer)) == "tent"
    assert len(router.chats) == 2
    assert openai.last["model"] == "gpt-4.1-mini"
    assert openai.last["messages"][0] == {"role": "system", "content": "You sort notes."}
    found = row(shared_home, id=headers["x-request-id"])
    assert (found["deployment"], found["model"], found["attempts"]) == ("with-fallbacks", "openai/gpt-4.1-mini", 3)


def test_a_name_deployed_while_the_server_runs_answers_without_a_restart(
    server: Serving, router: Upstream, shared_home: Path
) -> None:
    assert server.chat("made-later")[0] in (401, 404)
    for system in ("First.", "Second."):
        with inside(shared_home):
            deployments.deploy("made-later", Candidate("skill", GPT, Decoding(max_tokens=7), system))
        wait_for(lambda: server.chat("made-later")[0] == 200)
        wait_for(lambda s=system: server.chat("made-later") and router.last["messages"][0]["content"] == s)  # type: ignore[misc]
    assert "made-later" in [line["id"] for line in server.get("/models")[2]["data"]]
    with inside(shared_home):
        deployments.remove("made-later")
    wait_for(lambda: server.chat("made-later")[0] in (401, 404))


# The embedded engine


@needs_specs
def test_the_embedded_model_answers_in_openais_shape_for_nothing(server: Serving, shared_home: Path) -> None:
    status, headers, answer = server.chat("smollm2-135m", "Say hello.", max_tokens=5)
    assert status == 200, answer
    check_response("openai", "/chat/completions", "post", 200, answer)
    assert answer["usage"]["completion_tokens"] <= 5
    found = row(shared_home, id=headers["x-request-id"])
    assert (found["usd"], found["tokens_out"]) == (0, answer["usage"]["completion_tokens"])


def test_the_embedded_model_is_free_under_a_budget(server: Serving, shared_home: Path) -> None:
    guest = bearer(issue(shared_home, "poor", "--budget-usd", "0.000001"))
    for _ in range(2):
        found = wait_for(lambda: answer if (answer := ask_local(server, guest))[0] != 401 else None)
        assert found[0] == 200, found


def ask_local(server: Serving, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
    return server.post("/chat/completions", body_of("smollm2-135m", max_tokens=2), **headers)


def test_the_embedded_model_streams(server: Serving) -> None:
    status, _, answer = server.chat("smollm2-135m", "Say hello.", max_tokens=5, stream=True)
    assert status == 200
    chunks = chunks_of(answer)
    assert streamed_text(chunks)
    assert chunks[-1]["choices"][-1:] == [] or chunks[-1]["choices"][0]["finish_reason"]


def test_a_local_deployment_with_labels_answers_with_one(server: Serving) -> None:
    status, _, answer = server.chat("local-label", "my lamp is lost")
    assert status == 200, answer
    assert text_of(answer) in ("delivery", "billing")


def test_several_callers_ask_the_embedded_model_at_once(server: Serving) -> None:
    answers = at_once(server, [body_of("local-label", f"note {number}") for number in range(4)])
    assert [status for status, _ in answers] == [200] * 4
    assert {text_of(json.loads(answer)) for _, answer in answers} <= {"delivery", "billing"}


def test_a_dead_engine_is_started_again_and_the_server_stays_up(server: Serving, router: Upstream) -> None:
    assert server.chat("local-label")[0] == 200
    (engine,) = [pid for pid in children(server.process.pid) if "engine" in command_line(pid)]
    os.kill(engine, signal.SIGKILL)
    assert server.chat(GPT)[0] == 200
    status, _, answer = wait_for(lambda: _answered(server), 60)
    assert status == 200, answer


def _answered(server: Serving) -> Any:
    found = server.chat("local-label")
    assert found[0] == 200 or found[2]["error"]["message"], found
    return found if found[0] == 200 else None
