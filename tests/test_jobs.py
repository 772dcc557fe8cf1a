"""Jobs in real child processes: queued, killed, taken up again, cancelled; whoever dies, the work is done once."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent / "cli"))
from command import write_rows

from chapeta import jobs
from chapeta.cli import options
from chapeta.errors import BadInput, Missing
from chapeta.examples import datasets
from chapeta.examples.columns import Columns
from chapeta.jobs import outcome, processes, store
from chapeta.jobs.command import command_of
from chapeta.jobs.store import Job, State
from chapeta.stages.run import CANDIDATES, Settings
from chapeta.types import Json

PATIENCE_S = 120.0  # other work may share the cores
APP = "import chapeta.jobs as j, time\nwith j.Runner():\n    time.sleep(600)\n"


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def asks(file: Path, name: str = "desk", **given: object) -> Json:
    return jobs.specialize_arguments(Settings(str(file), name, candidates=("base",), **given))  # type: ignore[arg-type]


def is_alive(pid: int | None) -> bool:
    return pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory without any model."""
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def test_a_job_that_everything_was_killed_of_goes_on_where_it_was(home: Path, tmp_path: Path) -> None:
    """The app dies: the child goes on, and no other is begun. All die: the next Runner takes the job up and finishes it.

    What it specialises on is the file of a dataset, as it lies there.
    """
    datasets.import_file("desk", write_rows(tmp_path / "desk.csv", 24))
    job = jobs.submit("specialize", asks(datasets.path_of("desk")))
    app = subprocess.Popen([sys.executable, "-c", APP])
    until(lambda: jobs.job(job.id).state.pid, "a command")
    app.kill()
    app.wait()
    with jobs.Runner() as runner:
        state = jobs.job(job.id).state
        until(lambda: (job.run / "split" / "made.json").exists(), "splits")
        assert jobs.job(job.id).state == state
        assert state.keeper and state.pid
        assert is_alive(state.pid)
        os.kill(state.keeper, signal.SIGKILL)
        os.kill(state.pid, signal.SIGKILL)
        until(lambda: jobs.job(job.id).is_over, "the end")
        assert runner.problem == ""
    done = jobs.job(job.id)
    assert (done.status, done.state.starts, done.state.vanished, done.state.error) == ("done", 2, 1, "")
    assert done.state.result and done.state.result["verdict"]["use"] == "base"
    assert "the splits of the earlier run are kept" in done.log.read_text(encoding="utf-8")
    watched = jobs.watch(job.id)
    assert watched.live and watched.live.stage == "Verdict"
    assert [stage.ended_s is not None for stage in watched.live.stages] == [True] * len(watched.live.stages)
    assert watched.log.rstrip().endswith("== Verdict")


def test_a_running_job_is_cancelled_with_all_its_processes(home: Path, tmp_path: Path) -> None:
    job = jobs.submit("specialize", asks(write_rows(tmp_path / "desk.csv")))
    with jobs.Runner():
        until(lambda: jobs.job(job.id).state.pid, "a command")
        state = jobs.job(job.id).state
        assert state.pid and state.keeper
        assert os.getpriority(os.PRIO_PROCESS, state.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getsid(state.pid) == state.keeper != os.getsid(0)
        told = jobs.cancel(job.id)
        assert told.cancelling or told.status == "cancelled"
        until(lambda: jobs.job(job.id).is_over, "the end")
    assert jobs.job(job.id).status == "cancelled"
    until(lambda: not is_alive(state.pid) and not is_alive(state.keeper), "their end")
    assert jobs.cancel(job.id).status == "cancelled"


def test_a_command_whose_keeper_died_is_not_begun_twice_and_can_be_cancelled(home: Path, tmp_path: Path) -> None:
    job = jobs.submit("specialize", asks(write_rows(tmp_path / "desk.csv")))
    runner = jobs.Runner()
    assert runner.step() == jobs.job(job.id)
    until(lambda: jobs.job(job.id).state.pid, "a command")
    state = jobs.job(job.id).state
    assert state.pid and state.keeper
    os.kill(state.keeper, signal.SIGKILL)
    until(lambda: not is_alive(state.keeper), "the keeper's end")
    going_on = runner.step()
    assert going_on and (going_on.id, going_on.state.starts) == (job.id, 1)
    assert is_alive(state.pid)
    assert jobs.cancel(job.id).status == "cancelled"
    assert not is_alive(state.pid)
    assert runner.step() is None


def test_jobs_run_one_after_the_other_and_a_failure_says_why(data: Path) -> None:
    first, second = (jobs.submit("specialize", asks(data / f"{name}.csv", name)) for name in ("one", "two"))
    assert [job.id for job in jobs.jobs()] == [second.id, first.id]
    assert jobs.watch(second.id).ahead == 1
    runners = [jobs.Runner() for _ in range(4)]
    threads = [threading.Thread(target=runner.__enter__) for runner in runners]
    for thread in threads:
        thread.start()
    try:
        until(lambda: jobs.job(second.id).is_over, "the end of both")
    finally:
        for runner in runners:
            runner.__exit__(None, None, None)
    for job, name in ((first, "one"), (second, "two")):
        over = jobs.job(job.id)
        assert (over.status, over.state.starts) == ("failed", 1)
        assert f"{name}.csv does not exist" in over.state.error
        assert over.log.read_text(encoding="utf-8").count("== begun") == 1
    ended, began = jobs.job(first.id).state.ended_s, jobs.job(second.id).state.began_s
    assert ended and began and ended <= began


def test_a_waiting_job_is_cancelled_at_once_and_removed(data: Path) -> None:
    job = jobs.submit("specialize", asks(data / "none.csv"))
    with pytest.raises(BadInput, match="is queued"):
        jobs.remove(job.id)
    assert jobs.cancel(job.id).status == "cancelled"
    assert jobs.Runner().step() is None
    jobs.remove(job.id)
    with pytest.raises(Missing):
        jobs.job(job.id)
    assert jobs.jobs() == []


def test_a_job_after_a_removed_one_is_begun(data: Path) -> None:
    runner = jobs.Runner()
    removed = jobs.submit("specialize", asks(data / "none.csv"))
    jobs.cancel(removed.id)
    assert runner.step() is None
    jobs.remove(removed.id)
    job = jobs.submit("specialize", asks(data / "none.csv"))
    assert job.id != removed.id
    begun = runner.step()
    assert begun and begun.id == job.id
    until(lambda: jobs.job(job.id).is_over, "the end")
    assert jobs.job(job.id).status == "failed"


@pytest.mark.parametrize("number", ["", "x", "../1", "1/..", "0001" * 9, "١", "-1", "7"])
def test_what_is_no_job_is_said(data: Path, number: str) -> None:
    for act in (jobs.job, jobs.cancel, jobs.watch, jobs.remove):
        with pytest.raises(Missing, match="no job"):
            act(number)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("format the disk", {}), ("specialize", {"settings": {}}), ("specialize", {"settings": None}),
        ("specialize", {"settings": {**Settings("-", "desk").to_json()}}),
        ("specialize", {"settings": {**Settings("a.csv", "desk").to_json(), "name": "../x"}}),
        ("specialize", {"settings": {**Settings("a.csv", "desk").to_json(), "recipe": {"micro_batch_tokens": 99}}}),
    ],
)  # fmt: skip
def test_arguments_are_checked_before_a_job_is_queued(data: Path, kind: str, change: Json) -> None:
    with pytest.raises(BadInput):
        jobs.submit(kind, {**asks(data / "a.csv"), **change})
    assert jobs.jobs() == []


def test_a_data_directory_that_cannot_be_written_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "file").write_text("")
    monkeypatch.setenv("CHAPETA_HOME", str(data / "file"))
    with pytest.raises(BadInput, match="Cannot write"):
        jobs.submit("specialize", asks(data / "a.csv"))


def test_damaged_jobs_hide_no_others_and_hold_nothing_up(data: Path) -> None:
    ids = [jobs.submit("specialize", asks(data / "none.csv")).id for _ in range(3)]
    (store.folder_of(ids[0]) / "state.json").write_text('{"status": "run', encoding="utf-8")
    (store.folder_of(ids[1]) / "job.json").write_text("[]", encoding="utf-8")
    (store.jobs_dir() / ".new-half").mkdir()
    assert [job.id for job in jobs.jobs()] == [ids[2]]
    with jobs.Runner():
        until(lambda: jobs.job(ids[2]).is_over, "the end")


def job_of(data: Path, state: State) -> Job:
    folder = data / "jobs" / "1"
    folder.mkdir(parents=True, exist_ok=True)
    return Job("1", "specialize", {}, "desk", data / "run", 0.0, state)


def test_a_command_that_is_killed_again_and_again_is_given_up(data: Path) -> None:
    state = State(status="running", starts=1)
    job = job_of(data, state)
    seen = []
    for _ in range(outcome.MOST_CRASHES):
        state = outcome.ended(dataclasses.replace(state, status="running"), -signal.SIGKILL, job)
        seen.append(state.status)
    assert seen == ["queued", "queued", "failed"]
    assert "SIGKILL" in state.error and "3. time" in state.error
    assert "memory" in state.remedy


def test_a_job_that_vanishes_again_and_again_is_given_up() -> None:
    state, seen = State(status="running"), []
    while state.status != "failed":
        state = outcome.vanished(dataclasses.replace(state, status="running"))
        seen.append(state.status)
    assert len(seen) == outcome.MOST_VANISHED


@pytest.mark.parametrize(
    ("log", "code", "error"),
    [
        ("== Check\nchapeta: desk.csv is empty. Give a file.\n", 2, "desk.csv is empty. Give a file."),
        (
            "Traceback (most recent call last):\n  File x\nValueError: odd\n",
            1,
            "It ended unexpectedly: ValueError: odd",
        ),
        ("", 9, "It ended with exit code 9 and said nothing."),
    ],
)
def test_why_it_failed_is_in_the_end_of_the_log(data: Path, log: str, code: int, error: str) -> None:
    job = job_of(data, State(status="running"))
    job.log.write_text(log, encoding="utf-8")
    over = outcome.ended(job.state, code, job)
    assert (over.status, over.error) == ("failed", error)


def test_a_process_is_known_by_its_beginning() -> None:
    began = processes.began_s(os.getpid())
    assert began is not None
    assert processes.is_same(os.getpid(), began)
    assert not processes.is_same(os.getpid(), began - 60)
    assert not processes.is_same(2**22 + 1, began)
    assert not processes.is_same(None, None)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        began = processes.began_s(child.pid)
        assert processes.is_same(child.pid, began)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked for its exit code
        assert not processes.is_same(child.pid, began)


NAMES = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8})?", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
RECIPES = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.floats(0.1, 9), "rank": st.integers(1, 64), "learning_rate": st.floats(1e-6, 1e-2),
        "schedule": st.sampled_from(["linear", "cosine"]), "max_tokens": st.integers(2, 4096),
    },
)  # fmt: skip
ANY_SETTINGS = st.builds(
    Settings, source=TEXTS.map(lambda text: f"/{text}"), name=NAMES,
    models=st.lists(TEXTS, min_size=1, unique=True).map(tuple),
    candidates=st.lists(st.sampled_from(CANDIDATES), min_size=1).map(tuple),
    task=st.sampled_from([None, "classify", "generate"]), metric=st.none() | TEXTS,
    test=st.none() | TEXTS.map(lambda t: f"/{t}"),
    seed=st.integers(-9, 9), columns=st.builds(Columns, *[st.none() | TEXTS] * 4), recipe=RECIPES,
    replay_rows=st.none() | st.integers(0, 9), general_items=st.none() | st.integers(12, 141), writer=st.none() | TEXTS,
    judge=st.none() | TEXTS, margin=st.floats(0, 1), accepted_bad_share=st.floats(0, 1),
    limit_minutes=st.none() | st.floats(0.1, 99), budget_usd=st.none() | st.floats(0, 99),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=ANY_SETTINGS, agreed=st.booleans())
def test_the_command_line_means_the_same_settings(asked: Settings, agreed: bool) -> None:
    parser = argparse.ArgumentParser()
    options.add_run(parser)
    options.add_yes(parser)
    options.add_json(parser)
    words = command_of("specialize", jobs.specialize_arguments(asked, agreed)).words
    parsed = parser.parse_args(words[1:])
    found = options.settings_of(parsed)
    assert parsed.yes == agreed and parsed.json and parsed.out is None
    # what the command line makes of a path is its own affair
    same = {"source": asked.source, "test": asked.test} if Path(asked.source) != Path(found.source) else {}
    assert dataclasses.replace(found, **same) == dataclasses.replace(asked, test=found.test)
