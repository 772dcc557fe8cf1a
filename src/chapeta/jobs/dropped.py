"""Files that were dropped on the app: kept whole in the data directory, because a job that is taken up again reads its
file again, and so that what is wrong with their rows can be looked up there. One that no job and no run names any more
goes some time after it was last dropped.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import unicodedata
from pathlib import Path

from chapeta import config
from chapeta.files import replacing, sha256
from chapeta.jobs.store import jobs, jobs_dir

MOST_NAME = 40
KEPT_ENDINGS = 2  # .jsonl.gz
KEPT_DAYS = 30
DAY_S = 86_400


def folder() -> Path:
    return config.home() / "dropped"


def keep(file: Path, name: str) -> Path:
    """Puts a file under the name it came with, or a like one that is free; the same content again is the same file.

    Raises BadInput where the disk is full.
    """
    stem, ending = _parts(name)
    mark = sha256(file)[:8]
    place = folder() / f"{stem}-{mark}{ending}"
    if not place.exists():
        with file.open("rb") as dropped, replacing(place) as kept:
            shutil.copyfileobj(dropped, kept)
    else:
        os.utime(place)  # it is wanted again
    return place


def name_of(source: str) -> str:
    """What a kept file was called when it was dropped, or another file's own name."""
    return (
        re.sub(r"-[0-9a-f]{8}(?=\.|$)", "", Path(source).name) if Path(source).parent == folder() else Path(source).name
    )


def run_name(source: str) -> str:
    """A name for a run of this file that no run and no deployment has yet; the winner will be deployed under it."""
    stem = _parts(name_of(source))[0]
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST_NAME].strip("-") or "run"
    waiting = {job.run.name for job in jobs() if not job.is_over}
    number = 1
    while _is_taken(numbered := name if number == 1 else f"{name}-{number}") or numbered in waiting:
        number += 1
    return numbered


def forget_old(kept_days: float = KEPT_DAYS) -> int:
    """Removes files that were dropped so long ago and that no job and no run names; returns how many. Blocks."""
    before = time.time() - kept_days * DAY_S
    old = [file for file in folder().glob("[!.]*") if file.is_file() and file.stat().st_mtime < before]
    told = _told() if old else []
    forgotten = [file for file in old if not any(file.name in text for text in told)]
    for file in forgotten:
        file.unlink(missing_ok=True)
    return len(forgotten)


def _told() -> list[str]:
    """What jobs and runs are asked to do, as text: of a damaged one, too, a name can be read."""
    told = []
    for file in (*jobs_dir().glob("*/job.json"), *config.runs_dir().glob("*/run.json")):
        with contextlib.suppress(FileNotFoundError):
            told.append(file.read_text(encoding="utf-8", errors="replace"))
    return told


def _is_taken(name: str) -> bool:
    return (config.runs_dir() / name).exists() or (config.deployments_dir() / name).exists()


def _parts(name: str) -> tuple[str, str]:
    """A name without what no file system takes, and its endings."""
    base = Path(name.replace("\\", "/")).name
    endings = [one for one in Path(base).suffixes[-KEPT_ENDINGS:] if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", one)]
    ending = "".join(endings)
    stem = re.sub(r"[^\w-]+", "-", base.removesuffix(ending)).strip("-_")[:MOST_NAME]
    return stem or "file", ending.lower()
