"""The one door: deployments by name, models by id or path, providers; errors, budgets, threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chapeta import deployments
from chapeta.cli.main import main
from chapeta.errors import BadInput, Missing, ModelFailed, OverLimit
from chapeta.gateway.door import Gateway
from chapeta.types import Candidate, Decoding, Labels, Message, Request, Schema
from serving import point
from standin.server import KEY, Standin, nobody

GPT = "openrouter/openai/gpt-4.1-mini"
SONAR = "openrouter/perplexity/sonar"  # costs half a cent a call, and little a token


def test_a_deployment_answers_by_its_name(home: Path, embedded_model: Path) -> None:
    candidate = Candidate("base", str(embedded_model), Decoding(8, Labels(("yes", "no"))), "Answer yes or no.")
    deployments.deploy("oracle", candidate)
    with Gateway() as gateway:
        found = gateway.candidate("oracle")
        answer = gateway.answer(found.render((Message("user", "Is water wet?"),)))
    assert answer.text in ("yes", "no")


def test_a_request_that_needs_more_room_gets_a_larger_context(home: Path, embedded_model: Path) -> None:
    candidate = Candidate("base", str(embedded_model), Decoding(2100, Labels(("yes", "no"))))
    with Gateway() as gateway:
        answer = gateway.answer(candidate.render((Message("user", "Is water wet?"),)))
        with pytest.raises(BadInput, match="8,192"):
            longer = Candidate("base", str(embedded_model), Decoding(9000))
            gateway.answer(longer.render((Message("user", "Is water wet?"),)))
    assert answer.text in ("yes", "no")


def test_unknown_names_list_what_there_is(home: Path) -> None:
    with Gateway() as gateway, pytest.raises(BadInput, match="No model or deployment is called 'nobody'"):
        gateway.candidate("nobody")


# Providers, over real HTTP


@pytest.fixture
def upstream(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """OpenRouter, listening on loopback, with a key; nothing else has one."""
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    with Standin() as started:
        point(home, "openrouter", started.url)
        yield started


def ask(text: str, model: str = GPT, decoding: Decoding = Decoding(64)) -> Request:  # noqa: B008 - it is frozen
    return Request(model, (Message("user", text),), decoding)


def test_a_provider_answers_with_tokens_cost_and_time(upstream: Standin) -> None:
    with Gateway() as gateway:
        answer = gateway.answer(ask("one two three"))
    assert (answer.text, answer.finish, answer.error) == ("one two three", "stop", "")
    assert (answer.usage.tokens_in, answer.usage.tokens_out) == (6, 3)
    assert answer.usd == pytest.approx(6 * 0.4e-6 + 3 * 1.6e-6)
    assert answer.latency_ms > 0
    sent = upstream.chats[-1].json
    assert sent is not None
    assert (sent["model"], sent["messages"]) == ("openai/gpt-4.1-mini", [{"role": "user", "content": "one two three"}])
    assert sent["temperature"] == 0 and sent.get("max_completion_tokens", sent.get("max_tokens")) == 64


def test_an_answer_that_is_cut_says_so(upstream: Standin) -> None:
    with Gateway() as gateway:
        assert gateway.answer(ask("one two three", decoding=Decoding(2))).finish == "length"


def test_a_label_and_a_schema_reach_the_provider_as_schemas(upstream: Standin) -> None:
    upstream.say("billing")
    with Gateway() as gateway:
        assert (
            gateway.answer(ask("which desk?", decoding=Decoding(8, Labels(("billing", "delivery"))))).text == "billing"
        )
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        upstream.say(None)
        assert set(json.loads(gateway.answer(ask("how many?", decoding=Decoding(20, Schema(schema)))).text)) == {"n"}
    sent = upstream.chats[-1].json
    assert sent is not None and sent["response_format"]["json_schema"]["schema"]["properties"] == schema["properties"]


def test_text_comes_as_it_is_made_in_the_thread_of_the_caller(upstream: Standin) -> None:
    pieces: list[tuple[str, int]] = []
    with Gateway() as gateway:
        answer = gateway.answer(ask("one two three"), lambda text: pieces.append((text, threading.get_ident())))
    assert answer.text == "".join(text for text, _ in pieces) == "one two three"
    assert len(pieces) == 3
    assert {thread for _, thread in pieces} == {threading.get_ident()}
    assert (answer.usage.tokens_in, answer.usage.tokens_out) == (6, 3)
    assert answer.usd and answer.usd > 0


def test_a_caller_whose_on_text_fails_ends_the_call(upstream: Standin) -> None:
    upstream.next_fault("endless")

    def stop(text: str) -> None:
        raise KeyboardInterrupt

    with Gateway() as gateway:
        with pytest.raises(KeyboardInterrupt):
            gateway.answer(ask("hello"), stop)
        upstream.wait_for(lambda: upstream.chats[0].disconnected)
        assert gateway.answer(ask("still there?")).text == "still there?"


@pytest.mark.parametrize(
    ("model", "kind", "said"),
    [
        ("openrouter/fault/401", ModelFailed, "chapeta keys set openrouter"),
        ("openrouter/fault/402", ModelFailed, "Insufficient credits"),
        ("openrouter/fault/403", ModelFailed, "moderation"),
        ("openrouter/fault/429?retry_after_s=120", ModelFailed, "temporarily rate-limited upstream"),
        ("openrouter/fault/502", ModelFailed, "reset before headers"),
        ("openrouter/fault/error-200", ModelFailed, "Provider returned error"),
        ("openrouter/fault/html", ModelFailed, "OpenRouter"),
        ("openrouter/fault/garbage", ModelFailed, "OpenRouter"),
        ("openrouter/fault/context", BadInput, "maximum context length is 8192"),
        ("openrouter/nobody/nothing", BadInput, "nobody/nothing"),
        ("openrouter/fault/404", BadInput, "No endpoints found"),
        ("together/some/model", Missing, "chapeta keys set together"),
        ("nobody", BadInput, "'nobody'"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_goes_wrong_is_an_error_for_the_user(
    upstream: Standin, model: str, kind: type[Exception], said: str, streamed: bool
) -> None:
    with Gateway() as gateway, pytest.raises(kind) as caught:
        gateway.answer(ask("hello", model), [].append if streamed else None)
    assert said in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("fault", ["error-mid", "cut", "cut-quietly"])
def test_an_error_in_mid_stream_is_raised_after_the_text(upstream: Standin, fault: str) -> None:
    upstream.next_fault(fault, after=4)
    pieces: list[str] = []
    with Gateway() as gateway, pytest.raises(ModelFailed):
        gateway.answer(ask("one two three four"), pieces.append)
    assert "".join(pieces).startswith("one")
    assert len(upstream.chats) == 1, "what was begun is not asked again"


def test_an_address_where_nobody_is(home: Path, upstream: Standin) -> None:
    with nobody() as url:
        point(home, "mine", url, needs_key=False)
        with Gateway() as gateway, pytest.raises(ModelFailed, match=url.removesuffix("/v1")):
            gateway.answer(ask("hello", "mine/model"))


def test_a_budget_ends_the_calls(upstream: Standin) -> None:
    """Each call costs half a cent and a little: two begin before a cap of one cent is passed."""
    with Gateway(budget_usd=0.0099) as gateway:
        answers = []
        with pytest.raises(OverLimit, match=r"\$0\.0099"):
            for _ in range(10):
                answers.append(gateway.answer(ask("one two three", SONAR)))
        assert len(answers) == len(upstream.chats) == 2
        assert gateway.spent_usd == pytest.approx(sum(answer.usd or 0 for answer in answers))


def test_a_budget_is_passed_by_the_calls_in_flight_at_most(upstream: Standin) -> None:
    def one(gateway: Gateway) -> bool:
        try:
            gateway.answer(ask("one two three", SONAR))
        except OverLimit:
            return False
        return True

    with Gateway(budget_usd=0.05) as gateway, ThreadPoolExecutor(4) as pool:
        paid = sum(pool.map(one, [gateway] * 60))
        spent = gateway.spent_usd
    assert paid == len(upstream.chats)
    assert 0.05 <= spent <= 0.05 + 4 * 0.0051
    assert spent == pytest.approx(upstream.spent_usd)


def test_many_threads_share_one_door(upstream: Standin) -> None:
    def one(number: int) -> str:
        pieces: list[str] = []
        answer = gateway.answer(ask(f"number {number}"), pieces.append if number % 2 else None)
        assert number % 2 == 0 or "".join(pieces) == answer.text
        return answer.text

    with Gateway() as gateway, ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, range(60))) == [f"number {number}" for number in range(60)]


def test_closing_twice_and_closing_unused(upstream: Standin) -> None:
    Gateway().close()
    gateway = Gateway()
    gateway.answer(ask("hello"))
    gateway.close()
    gateway.close()
    upstream.wait_for(lambda: upstream.open_connections == 0)
    upstream.wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "gateway"])


def test_calls_are_in_the_ledger_once_it_is_closed(
    upstream: Standin, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Gateway(run="my-run") as gateway:
        answer = gateway.answer(ask("one two three"))
        with pytest.raises(ModelFailed):
            gateway.answer(ask("hello", "openrouter/fault/402"))
    assert main(["usage", "--json"]) == 0
    total = json.loads(capsys.readouterr().out)["total"]
    assert (total["calls"], total["errors"], total["usd"]) == (2, 1, pytest.approx(answer.usd))
    kept = b"".join(file.read_bytes() for file in home.iterdir() if file.is_file())
    assert KEY.encode() not in kept
    assert b"one two three" not in kept, "what was said is kept only on demand"


def test_the_engine_imports_nothing_from_the_folder_it_is_started_in(home: Path, tmp_path: Path) -> None:
    """A folder of somebody else's, with files named as modules of Python's."""
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in ("json", "socket", "select", "hmac", "xllamacpp", "numpy", "chapeta"):
        (hostile / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})\n")
    script = tmp_path / "script.py"
    script.write_text(
        "from chapeta.gateway.door import Gateway\n"
        "from chapeta.types import Decoding, Message, Request\n"
        "with Gateway() as gateway:\n"
        "    request = Request('smollm2-135m', (Message('user', 'Who wrote Hamlet?'),), Decoding(12))\n"
        "    print(gateway.answer(request).text)\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=hostile, capture_output=True, text=True, check=False)
    assert not (tmp_path / "imported").exists()
    assert done.stdout.strip(), done.stderr


def test_a_rate_limit_that_says_how_long_to_wait_costs_no_attempt(upstream: Standin) -> None:
    upstream.next_fault("429", times=8, retry_after_s=0)
    with Gateway() as gateway:
        answer = gateway.answer(ask("one two three"))
    assert answer.text == "one two three"
    assert len(upstream.chats) == 9


def test_a_rate_limit_that_does_not_end_is_told(upstream: Standin) -> None:
    upstream.next_fault("429", times=200, retry_after_s=0)
    with Gateway() as gateway, pytest.raises(ModelFailed, match="rate"):
        gateway.answer(ask("one two three"))
    assert len(upstream.chats) < 50


def test_waiting_for_a_rate_limit_is_not_latency(upstream: Standin) -> None:
    upstream.next_fault("429", retry_after_s=1)
    with Gateway() as gateway:
        answer = gateway.answer(ask("one two three"))
    assert answer.latency_ms < 900
