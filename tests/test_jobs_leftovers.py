"""What killed programs leave goes, and nothing that somebody still writes or refers to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chapeta.chat.live import Live
from chapeta.chat.store import Chats
from chapeta.files import replacing, write_json
from chapeta.gateway import catalog
from chapeta.gateway.core import Core
from chapeta.gateway.ledger import Ledger
from chapeta.jobs.dropped import KEPT_DAYS, folder, forget_old, keep
from chapeta.jobs.leftovers import clear_leftovers
from chapeta.storage.database import open_database
from chapeta.web.services import Services

DAY_S = 86_400
KILLED = """
import os, signal, tempfile
from pathlib import Path
from chapeta import config
from chapeta.engine.weights import PULLING
from chapeta.files import passing_folder, replacing
from chapeta.jobs.store import NEW
from chapeta.storage.folders import STAGING

home = config.home()
for place, prefix in (("skills", STAGING), ("datasets", STAGING), ("jobs", NEW), ("models/small", PULLING)):
    (home / place).mkdir(parents=True)
    (Path(tempfile.mkdtemp(dir=home / place, prefix=prefix)) / "half.bin").write_bytes(b"half")
(passing_folder() / "export.json").write_bytes(b"half")
with (
    replacing(home / "settings.json"), replacing(home / "datasets" / "a.jsonl"),
    replacing(home / "jobs" / "7" / "state.json"),
    replacing(home / "runs" / "desk" / "tuned" / "small" / "adapter" / "weights.bin"),
):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def grow_old(*paths: Path, days: float = 2) -> None:
    for path in paths:
        os.utime(path, (time.time() - days * DAY_S,) * 2)


def test_what_a_kill_leaves_is_cleared_a_day_later(data: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    others = [data / "datasets" / ".mine.jsonl.lock", data / "jobs" / ".lock", data / "skills" / "a.part"]
    for other in others:
        other.write_text("stays")
    left = [path for path in data.rglob("*") if path.is_file() and path not in others]
    assert len(left) == 9
    assert clear_leftovers() == 0  # whoever writes it may still be at it
    grow_old(*data.rglob("*"))
    assert clear_leftovers() == 9
    assert sorted(path for path in data.rglob("*") if path.is_file()) == sorted(others)
    assert not [path for path in data.rglob(".*") if path.is_dir()]


def test_what_is_still_written_stays(data: Path) -> None:
    with replacing(data / "datasets" / "a.jsonl") as file:
        [temporary] = (data / "datasets").iterdir()
        grow_old(temporary)
        file.write(b"more")
        file.flush()
        assert clear_leftovers() == 0
    unpacking = data / "skills" / ".restoring-x" / "skills" / "large"
    unpacking.mkdir(parents=True)
    (unpacking / "grows").write_bytes(b"x")
    grow_old(unpacking, unpacking.parent, unpacking.parent.parent)
    assert clear_leftovers() == 0
    assert (data / "datasets" / "a.jsonl").read_bytes() == b"more"


def test_a_dropped_file_goes_when_nothing_names_it_for_a_month(data: Path, tmp_path: Path) -> None:
    kept = {}
    for name in ("nobodys", "jobs", "runs", "damaged", "new"):
        given = tmp_path / "given"
        given.write_text(name)
        kept[name] = keep(given, f"Über {name}.csv")
    write_json(data / "jobs" / "3" / "job.json", {"arguments": {"settings": {"source": str(kept["jobs"])}}})
    write_json(data / "runs" / "desk" / "run.json", {"source": str(kept["runs"])})
    (data / "jobs" / "4").mkdir()
    (data / "jobs" / "4" / "job.json").write_text(f'{{"source": "{kept["damaged"]}')
    grow_old(*kept.values(), days=KEPT_DAYS + 1)
    given.write_text("new")
    keep(given, "Über new.csv")  # dropped again
    assert forget_old() == 1
    assert set(folder().iterdir()) == set(kept.values()) - {kept["nobodys"]}


def test_the_app_clears_both_after_its_start(data: Path) -> None:
    left = data / "datasets" / ".a.jsonl.x.part"
    left.parent.mkdir()
    left.write_text("half")
    (data / "given").write_text("a,b")
    dropped = keep(data / "given", "a.csv")
    grow_old(left, dropped, days=KEPT_DAYS + 1)

    async def open_app() -> None:
        with open_database() as database:
            ledger = Ledger()
            core, chats = Core(ledger), Chats(database)
            services = Services(database, ledger, core, chats, Live(core, chats), catalog.catalog(), ledger.close)
            house = asyncio.create_task(services.keep_house())
            async with asyncio.timeout(30):
                while left.exists() or dropped.exists():
                    await asyncio.sleep(0.01)
            house.cancel()
            await services.close()

    asyncio.run(open_app())


def test_without_a_data_directory_there_is_nothing_to_clear(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAPETA_HOME", str(data / "nowhere"))
    assert (clear_leftovers(), forget_old()) == (0, 0)
