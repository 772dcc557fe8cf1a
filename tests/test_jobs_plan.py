"""What a run will take, told before it begins: on the real embedded model and the catalogue's prices."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "cli"))
from command import chapeta, write_rows

from chapeta import config
from chapeta.errors import BadInput
from chapeta.jobs import specialize_arguments
from chapeta.jobs.command import command_of
from chapeta.jobs.plan import look, plan, weigh
from chapeta.jobs.planned import MOST
from chapeta.jobs.speed import multiplication_flops, trained_before
from chapeta.stages.run import CANDIDATES, Settings
from chapeta.types import Json


def test_each_candidate_has_its_time_and_nothing_is_left_behind(home: Path, tmp_path: Path) -> None:
    found = plan(Settings(str(write_rows(tmp_path / "desk.csv", 90)), "desk"))
    assert found.problem == ""
    assert (found.report.good, found.report.bad) == (90, 0)
    assert found.train + found.validation + found.test == 90
    assert found.task and found.task.kind == "classify"
    assert [one.name for one in found.candidates] == list(CANDIDATES)
    seconds = {one.name: one.seconds for one in found.candidates}
    assert 0 < seconds["base"] == seconds["skill"] < seconds["few-shot"]
    assert seconds["base"] < seconds["nearest"]
    assert seconds["base"] < seconds["tuned"]
    assert sum(seconds.values()) < found.seconds
    assert found.price and (found.price.calls, found.price.usd, found.price.unpriced) == (0, 0.0, ())
    assert not (home / "runs").exists()


def test_the_measured_speed_of_an_earlier_training_is_believed(home: Path, tmp_path: Path) -> None:
    asked = Settings(
        str(write_rows(tmp_path / "desk.csv", 90)), "desk", candidates=("tuned",), replay_rows=0, general_items=12
    )
    folder = home / "runs" / "before" / "tuned" / "smollm2-135m"
    folder.mkdir(parents=True)
    seconds = []
    for tokens_per_s in (1.0, 100.0):
        result = {"model": "smollm2-135m", "result": {"tokens_per_s": tokens_per_s}}
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        seconds.append(plan(asked).candidates[0].seconds)
    assert seconds[0] > 10 * seconds[1]


def test_a_training_beside_other_programs_is_remembered_as_fast_as_it_is_without_them(home: Path) -> None:
    """Two epochs of eight steps of 100 tokens: 1 s a step, then 0.5 s, but three times as long in most of each epoch."""
    steps_s = [length * slower for length in (1.0, 0.5) for slower in (3, 3, 1, 3, 1, 3, 3, 1)]
    history: list[Json] = []
    for step in range(1, 17):  # as `tuning/loop.py` tells it
        seconds = sum(steps_s[:step])
        told = {"tokens_per_s": 100 * step / seconds, "seconds_left": (16 - step) * seconds / step}
        history.append({"step": step, "total_steps": 16, "epoch": step / 8, **told})
    result = {"tokens_per_s": 1600 / sum(steps_s), "seconds": sum(steps_s), "history": history}
    folder = home / "runs" / "before" / "tuned" / "smollm2-135m"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({"model": "smollm2-135m", "result": result}), encoding="utf-8")
    assert trained_before("smollm2-135m") == pytest.approx(1600 / 12)


@pytest.mark.alone
def test_a_small_run_takes_what_was_said_within_a_factor_of_three(home: Path, tmp_path: Path) -> None:
    """In a process of its own, as the run of a user begins: with torch and weights still to be loaded."""
    file = write_rows(tmp_path / "desk.csv", 60)
    settings = Settings(str(file), "desk", candidates=("base", "tuned"), replay_rows=0, general_items=12)
    said = plan(settings)
    words = [*command_of("specialize", specialize_arguments(settings, agreed=True)).words]
    began = time.monotonic()
    done = chapeta(*words, timeout_s=900)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    print(f"said {said.range_s[0]:.0f} to {said.range_s[1]:.0f} s (busy: {said.busy_s:.0f} s), took {took:.0f} s")
    assert said.seconds / 3 <= took <= 3 * max(said.seconds, said.busy_s / MOST)


def test_a_busy_machine_does_not_look_like_a_slow_one(home: Path, tmp_path: Path) -> None:
    """Its speed is measured in time of the processor; that others are at work shows in the longest time alone."""
    multiplication_flops.cache_clear()
    quiet = multiplication_flops()
    spin = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3 * config.cores())]
    try:
        multiplication_flops.cache_clear()
        beside_others = multiplication_flops()
    finally:
        for process in spin:
            process.kill()
            process.wait()
        multiplication_flops.cache_clear()
    assert quiet / 3 <= beside_others <= quiet * 3


def test_any_choice_of_candidates_is_weighed_without_reading_the_file_again(home: Path, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "desk.csv", 60)
    looked = look(Settings(str(file), "desk"))
    file.unlink()
    both, later = (
        weigh(looked, Settings(str(file), "desk", candidates=names)) for names in (CANDIDATES, ("tuned+skill",))
    )
    assert (looked.columns.input, looked.columns.output) == ("text", "label")
    seconds = {one.name: one.seconds for one in both.candidates}
    assert later.candidates[0].seconds == pytest.approx(seconds["tuned"])  # the training is shared, and counts once
    assert seconds["tuned+skill"] == pytest.approx(seconds["skill"])
    assert both.range_s[0] < both.seconds < both.range_s[1] <= both.busy_s


def test_a_time_limit_is_the_most_it_takes(home: Path, tmp_path: Path) -> None:
    found = plan(Settings(str(write_rows(tmp_path / "desk.csv", 90)), "desk", limit_minutes=0.5))
    assert found.seconds <= 30
    assert found.range_s[1] <= 30 and found.busy_s <= 30


def test_providers_are_priced_and_cannot_be_tuned(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    file = write_rows(tmp_path / "desk.csv", 90)
    found = plan(Settings(str(file), "desk", models=("openai/gpt-4o-mini",), candidates=("base", "tuned")))
    base, tuned = found.candidates
    assert base.calls == found.test
    assert base.usd and 0 < base.usd < 0.1
    assert found.price and found.price.usd == pytest.approx(base.usd)
    assert "cannot be tuned here" in tuned.why_not


def test_what_is_wrong_is_told_instead(home: Path, tmp_path: Path) -> None:
    few = plan(Settings(str(write_rows(tmp_path / "few.csv", 5)), "few"))
    assert "too few" in few.problem
    assert few.report.good == 5
    bad = tmp_path / "bad.jsonl"
    row = json.dumps({"input": "a", "output": "b"})
    bad.write_text("\n".join([row, "x", "y", "z"]), encoding="utf-8")
    assert "3 of 4 rows" in plan(Settings(str(bad), "bad")).problem
    with pytest.raises(BadInput, match="does not exist"):
        plan(Settings(str(tmp_path / "none.csv"), "none"))


def test_planning_loads_no_torch(home: Path, tmp_path: Path) -> None:
    """In a process of its own: other tests of this one may have loaded it."""
    file = write_rows(tmp_path / "desk.csv", 90)
    program = (
        "import sys; from chapeta.jobs.plan import plan; from chapeta.stages.run import Settings;"
        f"found = plan(Settings({str(file)!r}, 'desk')); assert found.problem == ''; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
