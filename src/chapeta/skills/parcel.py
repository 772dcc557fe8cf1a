"""What a folder or ZIP with skills holds, taken as something hostile: names, links, sizes and numbers are bounded.

Files are unpacked beside the library, under a hidden name, and moved into place when all is there. None can be executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO
from zipfile import ZipFile, ZipInfo

from chapeta.errors import BadInput
from chapeta.files import disk_errors
from chapeta.skills.file import SKILL_FILE
from chapeta.skills.places import own_dir
from chapeta.storage.zips import DAMAGE, opened, parts

MOST_FILE_BYTES = 16 << 20
MOST_SKILL_BYTES = 32 << 20
MOST_SKILL_FILES = 500
STAGING = ".bringing-"
STALE_S = 86_400
_NAMES = (SKILL_FILE, SKILL_FILE.lower())
_JUNK = frozenset({"__macosx", "__pycache__", "node_modules", "thumbs.db", "desktop.ini"})
_HIDDEN = "hidden files and what programs leave behind"

Files = dict[str, tuple[int, Callable[[], IO[bytes]]]]  # by path: size in bytes, and how to read it
LeaveOut = Callable[[str, str], None]  # told what is left out, and why


@contextlib.contextmanager
def zipped(file: Path, leave_out: LeaveOut) -> Iterator[Files]:
    """The files of a ZIP that may be read. Raises BadInput for what is no ZIP, or beyond the bounds."""
    with disk_errors(own_dir()):
        own_dir().mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.ExitStack() as stack:
        try:
            archive, members, refused = stack.enter_context(opened(file, own_dir()))
        except BadInput:
            raise BadInput(
                f"{file} is no whole ZIP, or holds more than can be taken.", f"Give a ZIP with a {SKILL_FILE} in it."
            ) from None
        for why, count in refused.items():
            leave_out(f"{count:,} of {file.name}", why)
        tree: Files = {}
        for info in members.values():
            known_as = info.filename.replace("\\", "/")
            if parts(f"x/{known_as}") is None:
                leave_out(info.filename[:200], "its name leads elsewhere, or not every system takes it")
            elif known_as in tree:
                leave_out(info.filename[:200], "it is there twice")
            else:
                tree[known_as] = (info.file_size, partial(_member, archive, info))
        yield tree


def skills_in(tree: Files, stem: str, leave_out: LeaveOut) -> dict[str, Files]:
    """The skills of a ZIP with their files, by folder; a skill within another's folder belongs to that."""
    tops = sorted(
        {path.rpartition("/")[0] for path in tree if path.rpartition("/")[2] in _NAMES},
        key=len,
    )
    roots: list[str] = []
    for top in tops:
        if not _is_junk(top) and not any(not root or top == root or top.startswith(f"{root}/") for root in roots):
            roots.append(top)
    found: dict[str, Files] = {root: {} for root in roots}
    for path, file in sorted(tree.items()):
        steps = path.split("/")
        root = next(("/".join(steps[:n]) for n in range(len(steps)) if "/".join(steps[:n]) in found), None)
        if root is None:
            leave_out(path, "it belongs to no skill")
        else:
            below = path[len(root) + 1 :] if root else path
            if _is_junk(below):
                leave_out(path, _HIDDEN)
            else:
                found[root][below] = file
    return {root or stem: files for root, files in sorted(found.items())}


def files_of(folder: Path, at: str, leave_out: LeaveOut) -> Files:
    """The files of a skill's folder. Links are not followed."""
    found: Files = {}
    for place, below, names in os.walk(folder):
        for name in sorted([*below, *names]):
            path = Path(place) / name
            known_as = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if _is_junk(name):
                leave_out(at + known_as, _HIDDEN)
            elif stat.S_ISREG(mode) and parts(f"x/{known_as}") is not None and len(found) <= MOST_SKILL_FILES:
                found[known_as] = (path.lstat().st_size, partial(_open, path))
            elif stat.S_ISREG(mode):
                leave_out(at + known_as, "a name that not every system takes, or too many files")
            elif not stat.S_ISDIR(mode):
                leave_out(at + known_as, "a link or special file")
        below[:] = sorted(name for name in below if not _is_junk(name))
        if len(found) > MOST_SKILL_FILES:
            break
    return found


def _member(archive: ZipFile, info: ZipInfo) -> IO[bytes]:
    return archive.open(info)


def _open(path: Path) -> IO[bytes]:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    return os.fdopen(handle, "rb")


def _is_junk(path: str) -> bool:
    return any(step.startswith(".") or step.lower() in _JUNK for step in path.split("/") if step)


@contextlib.contextmanager
def staged(name: str) -> Iterator[Path]:
    """An empty folder beside the library, which is gone afterwards unless it was moved; old ones are cleared."""
    own = own_dir()
    with disk_errors(own):
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in own.glob(f"{STAGING}*"):
            with contextlib.suppress(OSError):
                if old.stat().st_mtime < time.time() - STALE_S:
                    shutil.rmtree(old, ignore_errors=True)
        base = Path(tempfile.mkdtemp(dir=own, prefix=STAGING))
        try:
            (base / name).mkdir()
            yield base / name
        finally:
            shutil.rmtree(base, ignore_errors=True)


def unpack(files: Files, staging: Path, at: str, leave_out: LeaveOut) -> list[str]:
    """Writes a skill's files, within the bounds; returns their paths. None of them can be executed."""
    taken: list[str] = []
    total = 0
    for path, (size, open_file) in sorted(files.items()):
        total += size
        if size > MOST_FILE_BYTES or total > MOST_SKILL_BYTES or len(taken) >= MOST_SKILL_FILES:
            total -= size
            leave_out(f"{at}/{path}", "too large, or more than a skill may hold")
            continue
        try:
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            with open_file() as source, (staging / path).open("xb") as target:
                _copy(source, target, MOST_FILE_BYTES)
            taken.append(path)
        except DAMAGE:
            (staging / path).unlink(missing_ok=True)
            leave_out(f"{at}/{path}", "it is damaged")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            leave_out(f"{at}/{path}", "its name excludes another's")
    return taken


def _copy(source: IO[bytes], target: IO[bytes], most: int) -> None:
    while piece := source.read(1 << 20):
        most -= len(piece)
        if most < 0:
            raise ValueError("longer than was said")
        target.write(piece)


def fingerprint(folder: Path) -> str:
    """What all files of a skill's folder come to, to see that two are the same."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                told = f"{path.relative_to(folder).as_posix()}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n"
            digest.update(told.encode("utf-8", "replace"))
    return digest.hexdigest()
