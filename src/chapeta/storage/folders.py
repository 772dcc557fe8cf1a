"""The folders of the data directory that a backup holds: skills, datasets and deployments, each whole or not at all.

What is put back is first unpacked beside its place, under a hidden name, and then renamed: a skill is never a mixture of
what was here and what was in the backup, and a kill leaves no half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from chapeta.files import disk_errors
from chapeta.storage.zips import DAMAGE, parts

# how many folders below each a unit begins that is added whole: datasets are files, versions lie in a folder a skill
FOLDERS = {"skills": 1, "skill-versions": 2, "datasets": 1, "deployments": 1}
STAGING = ".restoring-"
MOST_DEPLOYMENT_BYTES = 64 << 20
PIECE_BYTES = 1 << 20


def files(home: Path, left_out: Counter[str]) -> Iterator[tuple[str, Path]]:
    """The files to back up, with their names in the ZIP. Links are not followed."""
    for folder in FOLDERS:
        for place, below, names in os.walk(home / folder):
            below.sort()
            if Path(place) == home / folder:
                below[:] = [name for name in below if not name.startswith(".")]
            links = [name for name in below if (Path(place) / name).is_symlink()]
            left_out["links and special files"] += len(links)
            for name in sorted(names):
                path = Path(place) / name
                known_as = path.relative_to(home).as_posix()
                if not stat.S_ISREG(path.lstat().st_mode):
                    left_out["links and special files"] += 1
                elif parts(known_as) is None:
                    left_out["names that not every system takes"] += 1
                elif not name.startswith("."):
                    yield known_as, path


def units(members: dict[str, zipfile.ZipInfo], refused: Counter[str]) -> dict[tuple[str, ...], list[zipfile.ZipInfo]]:
    """What a ZIP holds for the folders: the files of each unit."""
    found: dict[tuple[str, ...], list[zipfile.ZipInfo]] = {}
    for name, info in members.items():
        known_as = parts(name)
        if known_as is None or known_as[0] not in FOLDERS or known_as[1].startswith("."):
            refused["files that belong nowhere"] += 1
        else:
            found.setdefault(known_as[: 1 + FOLDERS[known_as[0]]], []).append(info)
    return found


def put_back(archive: zipfile.ZipFile, unit: tuple[str, ...], infos: Sequence[zipfile.ZipInfo], home: Path) -> str:
    """Adds a unit that is not here: "added", "already", or why it is refused. Raises BadInput where the disk refuses."""
    base = home / unit[0]
    target = home.joinpath(*unit)
    if os.path.lexists(target):
        return "already"
    with disk_errors(target):
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(place.is_symlink() for place in target.parents if place != base and place.is_relative_to(base)):
            return "links in the way"
        staging = Path(tempfile.mkdtemp(dir=base, prefix=STAGING))
        try:
            unpacked = staging.joinpath(*unit)
            for info in infos:
                _unpack(archive, info, staging.joinpath(*PurePosixPath(info.filename).parts))
            if unit[0] == "deployments" and not _settle(unpacked, target):
                return "deployments that are none"
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):  # another program was faster
                return "already"
            unpacked.rename(target)
            return "added"
        except DAMAGE:
            return "damaged files"
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            return "files whose names exclude each other"
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, PIECE_BYTES)


def _settle(unpacked: Path, target: Path) -> bool:
    """Makes a deployment use the adapter in its own folder, wherever that was before. False if it is no deployment."""
    file = unpacked / "deployment.json"
    given: Any = None
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if file.stat().st_size <= MOST_DEPLOYMENT_BYTES:
            given = json.loads(file.read_bytes())
    if not isinstance(given, dict):
        return False
    adapter = given.get("adapter")
    if adapter is not None:
        name = str(adapter).replace("\\", "/").rpartition("/")[2]
        if not (unpacked / name).is_file():
            return False
        given["adapter"] = str(target / name)
        file.write_text(json.dumps(given, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return True
