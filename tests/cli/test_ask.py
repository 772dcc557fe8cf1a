"""Models of providers on the command line: ask, chat, specialize and bench, with a stand-in as OpenRouter."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command import chapeta, write_rows

from chapeta.cli.main import main
from serving import point
from standin.server import KEY, Standin, nobody

GPT = "openrouter/openai/gpt-4.1-mini"
QWEN = "openrouter/qwen/qwen3-max"
SONAR = "openrouter/perplexity/sonar"  # costs half a cent a call, and little a token


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


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


def run(*words: str, code: int = 0, **options: Any) -> Done:
    """A command line in a process of its own; whatever comes of it, no key and no traceback is in what it says."""
    done = chapeta(*words, **options)
    return _checked(Done(done.returncode, done.stdout, done.stderr), code)


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The same in this process, which is faster by what a start takes."""

    def run_here(*words: str, code: int = 0) -> Done:
        returned = main(words)
        return _checked(Done(returned, *capsys.readouterr()), code)

    return run_here


def _checked(done: Done, code: int) -> Done:
    assert "Traceback" not in done.out + done.err, done.err
    assert KEY[9:25] not in done.out + done.err
    assert done.code == code, done.out + done.err
    assert not code or done.err.splitlines()[-1].startswith("chapeta: "), done.err
    return done


def is_one_line(done: Done, said: str) -> None:
    """Nothing but one line of complaint was said."""
    assert (done.out, len(done.err.splitlines())) == ("", 1), done
    assert said in done.err


# ask


def test_ask_prints_the_answer(upstream: Standin) -> None:
    assert run("ask", GPT, "where", "is", "my parcel?").out == "where is my parcel?\n"
    assert run("ask", "qwen/qwen3-max", "-", stdin="from standard input").out == "from standard input\n"
    assert [record.json["model"] for record in upstream.chats if record.json] == [
        "openai/gpt-4.1-mini", "qwen/qwen3-max",
    ]  # fmt: skip


def test_ask_as_json_tells_tokens_and_cost(upstream: Standin) -> None:
    value = json.loads(run("ask", GPT, "one two three", "--json", "--max-tokens", "2").out)
    assert (value["text"], value["finish"], value["error"]) == ("one two", "length", "")
    assert value["usage"] == {"tokens_in": 6, "tokens_out": 2, "tokens_cached": 0}
    assert value["usd"] == pytest.approx(6 * 0.4e-6 + 2 * 1.6e-6)
    assert value["latency_ms"] > 0


def test_an_address_of_ones_own_needs_no_key_and_its_unknown_cost_is_null(upstream: Standin, home: Path) -> None:
    with Standin(key=None, dialect="openai") as mine:
        point(home, "mine", mine.url, needs_key=False)
        value = json.loads(run("ask", "mine/ft:gpt-4.1-mini:acme::B1", "one two", "--json").out)
    assert value["text"] == "one two"
    assert value["usd"] is None
    assert "authorization" not in mine.requests[-1].headers or KEY not in mine.requests[-1].headers["authorization"]


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("together/some/model", 4, "chapeta keys set together"),
        ("nobody", 2, "'nobody'"),
        ("openrouter/nobody/nothing", 2, "nobody/nothing"),
        ("openrouter/fault/401", 6, "chapeta keys set openrouter"),
        ("openrouter/fault/402", 6, "Insufficient credits"),
        ("openrouter/fault/403", 6, "moderation"),
        ("openrouter/fault/429?retry_after_s=120", 6, "rate-limited"),
        ("openrouter/fault/echo-key", 6, "chapeta keys set openrouter"),
        ("openrouter/fault/html", 6, "OpenRouter"),
        ("openrouter/fault/garbage", 6, "OpenRouter"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    upstream: Standin, here: Callable[..., Done], model: str, code: int, said: str
) -> None:
    is_one_line(here("ask", model, "hello", code=code), said)


def test_no_key_at_all(upstream: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    is_one_line(run("ask", GPT, "hello", code=4), "chapeta keys set openrouter")
    assert upstream.requests == ()


def test_nobody_is_there(upstream: Standin, home: Path, here: Callable[..., Done]) -> None:
    with nobody() as url:
        point(home, "mine", url, needs_key=False)
        is_one_line(here("ask", "mine/model", "hello", code=6), url.removesuffix("/v1"))
    point(home, "mine", "http://no-such-host.invalid/v1", needs_key=False)
    is_one_line(here("ask", "mine/model", "hello", code=6), "no-such-host.invalid")


def test_an_error_in_mid_stream_comes_after_the_text_on_a_line_of_its_own(upstream: Standin) -> None:
    upstream.next_fault("error-mid", after=4)
    done = run("ask", GPT, "one two three four", code=6)
    assert done.out.startswith("one two")
    assert "Provider disconnected unexpectedly" in done.err


def test_the_key_is_in_no_file(upstream: Standin, home: Path, here: Callable[..., Done]) -> None:
    here("ask", GPT, "hello")
    here("ask", "openrouter/fault/echo-key", "hello", code=6)
    here("usage")
    assert not files_with_the_key(home)


def test_commands_at_once_share_the_data_directory(upstream: Standin, here: Callable[..., Done]) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda number: run("ask", GPT, f"number {number}").out, range(3)))
    assert done == [f"number {number}\n" for number in range(3)]
    assert json.loads(here("usage", "--json").out)["total"]["calls"] == 3


# chat


def test_a_chat_remembers_and_begins_anew(upstream: Standin) -> None:
    done = run("chat", GPT, stdin="my name is Ann\nwho am I?\n/new\nhello again\n/exit\nnot asked\n")
    assert [line for line in done.out.splitlines() if line] == ["my name is Ann", "who am I?", "hello again"]
    asked = [[turn["content"] for turn in record.json["messages"]] for record in upstream.chats if record.json]
    assert asked == [
        ["my name is Ann"],
        ["my name is Ann", "my name is Ann", "who am I?"],
        ["hello again"],
    ]
    assert "[7 tokens in, 4 out" in done.err


def test_a_chat_goes_on_after_a_refused_turn(upstream: Standin) -> None:
    """Whoever has talked for an hour does not lose it to one rate limit."""
    upstream.faults("", "402", "")
    done = run("chat", GPT, stdin="first question\nrefused question\nthird question\n")
    assert "Insufficient credits" in done.err
    assert "third question" in done.out
    last = upstream.chats[-1].json
    assert last is not None
    assert [turn["content"] for turn in last["messages"]] == ["first question", "first question", "third question"]


def test_a_chat_with_nobody_ends_at_once(upstream: Standin) -> None:
    is_one_line(run("chat", "nobody", code=2), "'nobody'")


# specialize and bench


def label(body: dict[str, Any]) -> str:
    """What a good model would answer to `write_rows`' notes."""
    note = body["messages"][-1]["content"]
    return "delivery" if any(word in note for word in ("courier", "parcel", "tracking")) else "billing"


@pytest.fixture
def rows(tmp_path: Path) -> str:
    return str(write_rows(tmp_path / "desk.csv"))


def test_specialize_compares_and_deploys_a_remote_model(
    upstream: Standin, rows: str, home: Path, here: Callable[..., Done]
) -> None:
    upstream.say(label)
    words = ("specialize", rows, "--model", GPT, "--candidates", "base,few-shot,skill", "--yes", "--json")
    outcome = json.loads(here(*words).out)
    assert [one["name"] for one in outcome["candidates"]] == ["base", "few-shot", "skill"]
    assert [one["score"] for one in outcome["candidates"]] == [1.0] * 3
    for one in outcome["candidates"]:
        billed = 0.4 * one["tokens_in"] + 1.6 * one["tokens_out"]  # USD per million tokens
        assert one["usd_per_1000_calls"] == pytest.approx(billed / 1000, rel=1e-6)
        assert billed > 0
    assert outcome["verdict"]["use"] in ("base", "few-shot", "skill")
    assert outcome["deployment"] == "desk"
    asked = len(upstream.chats)
    assert asked >= 3 * outcome["candidates"][0]["n"]

    again = json.loads(here(*words).out)
    assert len(upstream.chats) == asked, "what is known is not asked and paid again"
    assert again["candidates"] == outcome["candidates"]
    assert here("ask", "desk", "the invoice shows a wrong amount").out == "billing\n"
    total = json.loads(here("usage", "--json").out)["total"]
    assert total["calls"] == len(upstream.chats)
    assert total["usd"] == pytest.approx(upstream.spent_usd)
    assert not files_with_the_key(home)


def test_specialize_stops_at_its_budget_and_goes_on_with_a_larger_one(
    upstream: Standin, rows: str, here: Callable[..., Done]
) -> None:
    upstream.say(label)
    words = ("specialize", rows, "--model", SONAR, "--candidates", "base,skill", "--json", "--budget-usd")
    stopped = here(*words, "0.02", code=7)
    assert stopped.out == ""
    assert "$0.02" in stopped.err.splitlines()[-1] and "--budget-usd" in stopped.err.splitlines()[-1]
    in_flight = 16  # calls at a time
    assert 0.02 <= upstream.spent_usd <= 0.02 + in_flight * 0.0052
    outcome = json.loads(here(*words, "5").out)
    answered = sum(one["n"] for one in outcome["candidates"])
    assert len(upstream.chats) <= answered + in_flight, "answers that were paid for are not asked again"


def test_a_budget_holds_over_restarts(upstream: Standin, rows: str, here: Callable[..., Done]) -> None:
    upstream.say(label)
    words = ("specialize", rows, "--model", SONAR, "--candidates", "base,skill", "--budget-usd", "0.02")
    here(*words, code=7)
    asked = len(upstream.chats)
    assert "are spent" in here(*words, code=7).err.splitlines()[-1]
    assert len(upstream.chats) == asked


@pytest.mark.parametrize(
    "more",
    [
        ("--model", GPT, "--candidates", "base,few-shot,skill"),
        ("--candidates", "base,skill", "--writer", GPT),
        ("--candidates", "base", "--task", "generate", "--metric", "judge", "--judge", GPT),
    ],
)
def test_nothing_is_paid_for_before_the_user_has_agreed(
    upstream: Standin, rows: str, here: Callable[..., Done], more: tuple[str, ...]
) -> None:
    said = here("specialize", rows, *more, code=7).err
    assert "--yes" in said.splitlines()[-1] and "calls to providers" in said
    assert not upstream.chats


def test_bench_compares_models(upstream: Standin, rows: str, here: Callable[..., Done]) -> None:
    upstream.say(lambda body: label(body) if body["model"].startswith("qwen") else "billing")
    here("split", rows, "--model", GPT, "--candidates", "base")
    outcome = json.loads(here("bench", "desk", "--model", GPT, "--model", QWEN, "--yes", "--json").out)
    scores = {one["name"]: one["score"] for one in outcome["candidates"]}
    assert set(scores) == {f"base@{GPT}", f"base@{QWEN}"}
    assert scores[f"base@{QWEN}"] == 1.0 > scores[f"base@{GPT}"]
    costs = {one["name"]: one["usd_per_1000_calls"] for one in outcome["candidates"]}
    assert costs[f"base@{QWEN}"] > costs[f"base@{GPT}"] > 0


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("openrouter/fault/401", 6, "chapeta keys set openrouter"),
        ("together/some/model", 4, "chapeta keys set together"),
        ("nobody", 2, "'nobody'"),
    ],
)
def test_specialize_with_a_model_that_cannot_be_asked(
    upstream: Standin, rows: str, here: Callable[..., Done], model: str, code: int, said: str
) -> None:
    done = here("specialize", rows, "--model", model, "--candidates", "base", "--yes", code=code)
    assert said in done.err.splitlines()[-1]


def test_a_missing_key_is_said_before_anything_is_agreed_to(
    upstream: Standin, rows: str, here: Callable[..., Done]
) -> None:
    done = here("specialize", rows, "--model", "together/some/model", "--candidates", "base", code=4)
    assert "chapeta keys set together" in done.err.splitlines()[-1]


def files_with_the_key(home: Path) -> list[Path]:
    """What was written below the data directory, the weights aside, and holds the key."""
    files = [file for file in home.rglob("*") if file.is_file() and "models" not in file.parts]
    assert files
    return [file for file in files if KEY.encode() in file.read_bytes()]
