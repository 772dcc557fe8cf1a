"""What a killed program leaves in the data directory: files and folders that were to be renamed into their places.

Each writer removes its own whatever goes wrong, but for a kill -9 or a power cut. What nobody has touched for a day is
nobody's: a writer touches what it writes all the time.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from chapeta import config
from chapeta.engine.weights import PULLING
from chapeta.files import UNFINISHED
from chapeta.jobs.store import NEW
from chapeta.storage.folders import FOLDERS, STAGING

UNTOUCHED_S = 86_400
FOLDERS_LEFT = (
    "passing/*", f"jobs/{NEW}*", f"models/*/{PULLING}*", f"models/*/.*{UNFINISHED}",
    *(f"{folder}/{STAGING}*" for folder in FOLDERS),
)  # fmt: skip
FILES_LEFT = tuple(f"{place}.*{UNFINISHED}" for place in ("", "*/", "*/*/", "runs/*/**/"))


def clear_leftovers(untouched_s: float = UNTOUCHED_S) -> int:
    """Removes what is left and older than that; returns how many files and folders. Blocks."""
    before = time.time() - untouched_s
    home = config.home()
    folders = [found for pattern in FOLDERS_LEFT for found in home.glob(pattern) if _is_left(found, before)]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    files = {found for pattern in FILES_LEFT for found in home.glob(pattern) if _is_left(found, before)}
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
    return len(folders) + len(files)


def _is_left(path: Path, before: float) -> bool:
    """Whether nothing of it was touched since then."""
    try:
        return all(one.lstat().st_mtime < before for one in (path, *path.rglob("*")))
    except OSError:  # it is going away just now
        return False
