"""`chapeta backup` and `chapeta restore`, as typed."""

from __future__ import annotations

import json
from pathlib import Path

from command import chapeta


def test_what_was_backed_up_comes_back_once(home: Path, tmp_path: Path) -> None:
    (home / "datasets").mkdir()
    (home / "datasets" / "desk.jsonl").write_text('{"messages": []}\n')
    file = tmp_path / "all.zip"
    assert chapeta("backup", str(file)).returncode == 0
    assert chapeta("backup", str(file)).returncode != 0, "a backup is not overwritten"
    other = tmp_path / "other"
    other.mkdir()
    first = chapeta("restore", str(file), "--json", CHAPETA_HOME=str(other))
    assert first.returncode == 0, first.stderr
    assert (other / "datasets" / "desk.jsonl").read_text() == '{"messages": []}\n'
    assert json.loads(first.stdout)["added"]["datasets"] == 1
    again = json.loads(chapeta("restore", str(file), "--json", CHAPETA_HOME=str(other)).stdout)
    assert not any(again["added"].values()) and again["already"]["datasets"] == 1


def test_a_file_that_is_no_backup_is_refused_on_one_line(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(b"nothing")
    done = chapeta("restore", str(file))
    assert done.returncode and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
