"""Versions as files, and what a comparison of two texts says."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import Corrupt, Missing
from chapeta.skills import versions


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def test_a_comparison_by_hand() -> None:
    before = "# Triage\n\nBe brief.\nAsk nothing.\nEnd."
    after = "# Triage\n\nBe kind.\nAsk nothing.\nSign.\nEnd."
    told = [(line.kind, line.text, line.before, line.after) for line in versions.compare(before, after)]
    assert told == [
        ("kept", "# Triage", 1, 1), ("kept", "", 2, 2), ("removed", "Be brief.", 3, None), ("added", "Be kind.", None, 3),
        ("kept", "Ask nothing.", 4, 4), ("added", "Sign.", None, 5), ("kept", "End.", 5, 6),
    ]  # fmt: skip


texts = st.lists(st.sampled_from(["", "a", "b", "c", "long line", "é"]), max_size=12).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(texts, texts)
def test_a_comparison_holds_both_texts(before: str, after: str) -> None:
    lines = versions.compare(before, after)
    old = [line for line in lines if line.kind != "added"]
    new = [line for line in lines if line.kind != "removed"]
    assert "\n".join(line.text for line in old) == before
    assert "\n".join(line.text for line in new) == after
    assert [line.before for line in old] == list(range(1, before.count("\n") + 2))
    assert [line.after for line in new] == list(range(1, after.count("\n") + 2))
    if before == after:
        assert all(line.kind == "kept" for line in lines)


@settings(max_examples=100, deadline=None)
@given(texts, texts)
def test_as_few_lines_as_possible_change(before: str, after: str) -> None:
    old, new = before.split("\n"), after.split("\n")
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, a in enumerate(old):
        for j, b in enumerate(new):
            longest[i + 1][j + 1] = longest[i][j] + 1 if a == b else max(longest[i][j + 1], longest[i + 1][j])
    kept = sum(line.kind == "kept" for line in versions.compare(before, after))
    assert kept == longest[-1][-1]


def test_texts_made_to_be_slow_are_compared_at_once() -> None:
    before = "\n".join(str(n % 90) for n in range(80_000))
    after = "\n".join(str(n * 7 % 90) for n in range(80_000))
    begun = time.process_time()
    lines = versions.compare(f"same\n{before}\nend", f"same\n{after}\nend")
    assert time.process_time() - begun < 5
    assert "\n".join(line.text for line in lines if line.kind != "removed") == f"same\n{after}\nend"


def test_versions_are_found_by_number_and_by_hash() -> None:
    first = versions.keep("triage", b"one", "why")
    versions.keep("triage", b"two")
    assert [(v.number, v.note, v.size) for v in versions.versions("triage")] == [(1, "why", 3), (2, "", 3)]
    assert versions.version_text("triage", 1) == versions.version_text("triage", first.sha256[:8]) == "one"
    assert versions.is_kept("triage", b"two") and not versions.is_kept("triage", b"three")
    which: int | str
    for which in (0, 3, -1, "1", "*", "../..", "", first.sha256[:7], "0" * 16):
        with pytest.raises(Missing, match="no version"):
            versions.version_text("triage", which)
    assert versions.names() == ["triage"]


def test_names_lead_nowhere(data: Path) -> None:
    versions.keep_text("../../x y", b"foreign")
    assert [path.name for path in (data / "skill-versions").iterdir()] == ["x-y"]
    assert versions.names() == []


def test_a_text_that_was_changed_or_lost_is_said_to_be(data: Path) -> None:
    kept = versions.keep("triage", b"one")
    file = data / "skill-versions/triage" / f"{kept.sha256}.md"
    file.write_text("other")
    with pytest.raises(Corrupt, match="SHA-256 differs"):
        versions.version_text("triage", 1)
    file.unlink()
    with pytest.raises(Corrupt, match="is gone"):
        versions.version_text("triage", 1)
    (record,) = file.parent.glob("*.json")
    record.write_text('{"sha256": "../../etc/passwd", "saved_s": 0, "bytes": 1}')
    with pytest.raises(Corrupt, match="not as Chapeta writes it"):
        versions.versions("triage")


def test_two_machines_can_be_merged_by_adding_files(data: Path) -> None:
    here, there = data / "skill-versions/triage", data / "there"
    versions.keep("triage", b"common")
    shutil.copytree(here, there)
    versions.keep("triage", b"here")
    ours = {path.name for path in here.iterdir()}
    shutil.move(here, data / "ours")
    shutil.copytree(there, here)
    versions.keep("triage", b"there")
    for name in ours - {path.name for path in here.iterdir()}:
        shutil.copy(data / "ours" / name, here / name)
    texts = [versions.version_text("triage", v.number) for v in versions.versions("triage")]
    assert texts[0] == "common" and sorted(texts) == ["common", "here", "there"]
    assert versions.keep("triage", b"next").number == 4
