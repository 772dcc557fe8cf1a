"""Where a run is, as its folder says."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from chapeta.progress import Progress
from chapeta.stages.watch import FILE, KEPT_LINES, Curve, Recorded, read_live
from chapeta.tuning.trainer import TuneProgress


class Heard(Progress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []

    def stage(self, title: str) -> None:
        self.stages.append(title)

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_stages_shares_and_lines_are_in_the_folder(tmp_path: Path) -> None:
    heard = Heard()
    with Recorded(heard, tmp_path) as recorded:
        recorded.stage("Check")
        recorded.say("90 good rows")
        recorded.stage("Bench")
        recorded.advance(0, 40)
        recorded.advance(40, 40, "base, 30 tokens/s")
        live = read_live(tmp_path)
        assert live is not None
        assert [(stage.title, stage.ended_s is None) for stage in live.stages] == [("Check", False), ("Bench", True)]
        assert (live.stage, live.share, live.note, live.said) == ("Bench", 1.0, "base, 30 tokens/s", ("90 good rows",))
    ended = read_live(tmp_path)
    assert ended is not None and ended.stages[-1].ended_s is not None
    assert (heard.stages, heard.lines) == (["Check", "Bench"], ["90 good rows"])
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_the_time_left_follows_from_the_pace_of_this_count(tmp_path: Path) -> None:
    now = time.time()
    value = {"stages": [["Bench", now - 50, None]], "done": 30, "total": 50, "note": "", "said": [], "updated_s": now}
    for since, left in (([10, now - 40], 40.0), ([30, now - 40], None), ([10, now], None)):
        (tmp_path / FILE).write_text(json.dumps({**value, "since": since}), encoding="utf-8")
        live = read_live(tmp_path)
        assert live is not None
        assert live.seconds_left == (pytest.approx(left) if left else None)


def test_lines_do_not_pile_up_and_writes_are_few(tmp_path: Path) -> None:
    recorded = Recorded(Heard(), tmp_path)
    recorded.stage("Tune")
    for n in range(100):
        recorded.say(f"line {n}")
    before = (tmp_path / FILE).stat().st_mtime_ns
    started = time.monotonic()
    for n in range(1000):
        recorded.advance(n, 5000)
    took_s = time.monotonic() - started
    live = read_live(tmp_path)
    assert live is not None and len(live.said) == KEPT_LINES and live.said[-1] == "line 99"
    if took_s < 0.2:
        assert (tmp_path / FILE).stat().st_mtime_ns == before


def test_a_folder_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    with Recorded(Heard(), tmp_path / "gone") as recorded:
        recorded.stage("Check")
    assert read_live(tmp_path / "gone") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stages": 1}', '{"stages": [["a"]], "done": 1}'])
def test_a_damaged_file_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    assert read_live(tmp_path) is None


def line(step: int) -> str:
    return json.dumps(TuneProgress(step, 10, 0.1, 2.0 / step, 1e-4, 90.0, 5.0, None, None).to_json()) + "\n"


def test_the_curve_grows_with_the_file_and_starts_again_with_the_training(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    assert curve.read() == []
    file = tmp_path / "tuned" / "model" / "metrics.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(line(1) + line(2)[:20], encoding="utf-8")
    assert [point.step for point in curve.read()] == [1]
    with file.open("a", encoding="utf-8") as out:
        out.write(line(2)[20:] + line(3))
    assert [point.step for point in curve.read()] == [1, 2, 3]
    assert curve.points[1].loss == 1.0
    other = file.with_name("new")
    other.write_text(line(1) + line(2), encoding="utf-8")
    other.replace(file)  # as a resumed training does
    assert [point.step for point in curve.read()] == [1, 2]
