"""The whole way, with the real model: from a file to a deployed winner; killed, repeated, and checked by its receipt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "cli"))
from command import COMMAND, chapeta, write_rows

OPTIONS = ("--candidates", "base,skill,tuned", "--epochs", "3", "--general-items", "16", "--replay", "4", "--json")


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, embedded_model: Path, models_home: Path
) -> tuple[Path, dict[str, object]]:
    """A finished run: its data directory and the object that --json printed."""
    home = tmp_path_factory.mktemp("specialize") / "home"
    home.mkdir()
    file = write_rows(home.parent / "desk.csv", 90)
    model = model_option(home, models_home)
    done = chapeta("specialize", str(file), *OPTIONS, *model, timeout_s=900, CHAPETA_HOME=str(home))
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout)


def model_option(home: Path, models_home: Path) -> tuple[str, ...]:
    given = os.environ.get("CHAPETA_TEST_MODEL")
    if given:
        return ("--model", given)
    (home / "models").symlink_to(models_home / "models")
    return ()


def test_the_object_is_the_documented_one(finished: tuple[Path, dict[str, object]]) -> None:
    _, outcome = finished
    assert set(outcome) == {"candidates", "verdict", "report", "receipt", "deployment"}
    rows = outcome["candidates"]
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == ["base", "skill", "tuned"]
    for row in rows:
        low, high = row["interval"]
        assert 0 <= low <= row["score"] <= high <= 1
        assert row["latency_p50_ms"] <= row["latency_p95_ms"]
        assert row["usd_per_1000_calls"] == 0.0
        assert (row["flexibility"] is None) == (row["name"] != "tuned")


def test_tuning_learned_the_task(finished: tuple[Path, dict[str, object]]) -> None:
    _, outcome = finished
    scores = {row["name"]: row["score"] for row in outcome["candidates"]}  # type: ignore[attr-defined]
    assert scores["tuned"] >= 0.9
    assert outcome["verdict"]["use"] in scores  # type: ignore[index]


def test_the_report_stands_alone(finished: tuple[Path, dict[str, object]]) -> None:
    _, outcome = finished
    page = Path(str(outcome["report"])).read_text(encoding="utf-8")
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


def test_the_deployment_answers(finished: tuple[Path, dict[str, object]]) -> None:
    home, _ = finished
    done = chapeta("ask", "desk", "you took the money twice", CHAPETA_HOME=str(home))
    assert done.stdout.strip() in ("delivery", "billing")


def test_chat_keeps_the_conversation(finished: tuple[Path, dict[str, object]]) -> None:
    home, _ = finished
    done = chapeta("chat", "desk", stdin="the courier lost it\n/new\nrefund please\n", CHAPETA_HOME=str(home))
    assert done.returncode == 0
    assert len([line for line in done.stdout.split() if line in ("delivery", "billing")]) == 2


def test_a_second_run_asks_nothing_again(finished: tuple[Path, dict[str, object]], models_home: Path) -> None:
    home, outcome = finished
    given = os.environ.get("CHAPETA_TEST_MODEL")
    model = ("--model", given) if given else ()
    started = time.monotonic()
    done = chapeta("specialize", str(home.parent / "desk.csv"), *OPTIONS, *model, CHAPETA_HOME=str(home))
    again = json.loads(done.stdout)
    assert again["candidates"] == outcome["candidates"]
    assert time.monotonic() - started < 60


def test_the_receipt_verifies_and_a_changed_answer_does_not(
    finished: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    home, outcome = finished
    receipt = tmp_path / "receipt"
    shutil.copytree(str(outcome["receipt"]), receipt)
    good = chapeta("verify", str(receipt), "--json", CHAPETA_HOME=str(home))
    assert json.loads(good.stdout)["figures"] > 50
    answers = receipt / "answers.jsonl"
    rows = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    tampered = next(row for row in rows if row["candidate"] == "base" and row["score"] == 0)
    tampered["answer"]["text"] = tampered["expected"]
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    by_hash = chapeta("verify", str(receipt), CHAPETA_HOME=str(home))
    assert by_hash.returncode == 5
    assert "answers.jsonl has another hash" in by_hash.stderr
    facts = json.loads((receipt / "receipt.json").read_text())
    from chapeta.files import sha256

    facts["files"]["answers.jsonl"] = sha256(answers)
    (receipt / "receipt.json").write_text(json.dumps(facts))
    by_figure = chapeta("verify", str(receipt), CHAPETA_HOME=str(home))
    assert by_figure.returncode == 5
    assert "recomputed it is" in by_figure.stderr


def test_another_margin_decides_again(finished: tuple[Path, dict[str, object]]) -> None:
    home, outcome = finished
    wide = chapeta("verdict", "desk", "--margin", "0.99", "--json", CHAPETA_HOME=str(home))
    cheapest = json.loads(wide.stdout)["verdict"]["use"]
    assert cheapest in ("base", "skill", "tuned")
    assert chapeta("verify", str(outcome["receipt"]), CHAPETA_HOME=str(home)).returncode == 0
    chapeta("verdict", "desk", "--margin", "0.02", CHAPETA_HOME=str(home))


def test_a_run_killed_while_it_splits_and_trains_goes_on_to_the_same_adapter_and_figures(
    finished: tuple[Path, dict[str, object]], tmp_path: Path, models_home: Path
) -> None:
    """Answers that are known are reused, so equal figures cost little; the adapter's bits say that training was the same."""
    home, outcome = finished
    other = tmp_path / "home"
    other.mkdir()
    shutil.copy(home / "answers.sqlite", other / "answers.sqlite")
    words = ["specialize", str(home.parent / "desk.csv"), *OPTIONS, *model_option(other, models_home)]
    environment = {**os.environ, "CHAPETA_HOME": str(other)}
    for wait_for, signal_number in (("split/made.json", signal.SIGKILL), ("tuned/*/metrics.jsonl", signal.SIGINT)):
        process = subprocess.Popen(
            [*COMMAND, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while not list((other / "runs" / "desk").glob(wait_for)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal_number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == (130 if signal_number == signal.SIGINT else -signal.SIGKILL), said
        assert b"Traceback" not in said
    done = chapeta(*words, timeout_s=900, CHAPETA_HOME=str(other))
    assert done.returncode == 0, done.stderr
    adapters = [
        next((place / "runs" / "desk" / "tuned").glob("*/adapter.gguf")).read_bytes() for place in (home, other)
    ]
    assert adapters[0] == adapters[1]
    assert json.loads(done.stdout)["candidates"] == outcome["candidates"]


def test_the_bench_takes_a_training_that_a_time_limit_shortened_as_it_is(
    finished: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    home, _ = finished
    other = tmp_path / "home"
    shutil.copytree(home, other, symlinks=True)
    made = next((other / "runs" / "desk" / "tuned").glob("*/result.json"))
    result = json.loads(made.read_text(encoding="utf-8"))
    result["result"]["planned_epochs"] = 0.5
    made.write_text(json.dumps(result), encoding="utf-8")
    done = chapeta("bench", "desk", "--json", CHAPETA_HOME=str(other))
    assert done.returncode == 0, done.stderr
    assert "nothing has changed" in done.stderr
    notes = json.loads((other / "runs" / "desk" / "bench.json").read_text(encoding="utf-8"))["notes"]
    assert any("0.5 of 3 epochs" in note for note in notes)
