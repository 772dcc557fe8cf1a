"""The journal: lines of many processes, each taken, none lost, whoever is killed."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chapeta.storage.journal import append, taken


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "new" / "journal.jsonl"


def take(journal: Path) -> list[str]:
    with taken(journal) as lines:
        return lines


def test_lines_are_taken_once_in_their_order(journal: Path) -> None:
    assert take(journal) == []
    append(journal, ["one", "two"])
    append(journal, ["three"])
    assert take(journal) == ["one", "two", "three"]
    assert take(journal) == []
    assert list(journal.parent.iterdir()) == []


def test_the_file_is_its_owners_alone(journal: Path) -> None:
    append(journal, ["one"])
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600


def test_lines_that_could_not_be_used_wait_on(journal: Path) -> None:
    append(journal, ["one"])
    with pytest.raises(ZeroDivisionError), taken(journal):
        raise ZeroDivisionError
    append(journal, ["two"])
    assert sorted(take(journal)) == ["one", "two"]


def test_a_line_cut_off_by_a_kill_spoils_no_other(journal: Path) -> None:
    append(journal, ["one"])
    with journal.open("ab") as file:
        file.write(b"\nhalf a l")
    append(journal, ["two"])
    assert take(journal) == ["one", "half a l", "two"]


def test_nothing_is_lost_while_others_take(journal: Path) -> None:
    """Four processes append 300 times each; meanwhile two threads take. A line may be seen twice, none never."""
    code = f"""
import sys
from pathlib import Path
from chapeta.storage.journal import append
for n in range(300):
    append(Path({str(journal)!r}), [f"{{sys.argv[1]}}-{{n}}-" + "x" * 500] * 2)
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(4)]
    seen: list[str] = []
    done = threading.Event()

    def keep_taking() -> None:
        while not done.is_set():
            seen.extend(take(journal))

    takers = [threading.Thread(target=keep_taking) for _ in range(2)]
    for taker in takers:
        taker.start()
    codes = [writer.wait(timeout=120) for writer in writers]
    done.set()
    for taker in takers:
        taker.join()
    seen.extend(take(journal))
    assert codes == [0] * 4
    assert set(seen) == {f"{writer}-{n}-" + "x" * 500 for writer in range(4) for n in range(300)}
    assert len(seen) >= 2 * 4 * 300


def test_a_folder_that_may_not_be_written(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    with pytest.raises(PermissionError):
        append(unprivileged / "journal.jsonl", ["one"])
