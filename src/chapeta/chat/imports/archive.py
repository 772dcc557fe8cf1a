"""Opens what a user has of an export: the ZIP as it came, also a cut-off one, a folder, or one JSON file.

Nothing is ever unpacked to disk, so no name in an archive can lead anywhere. What is read is bounded: the number of
files, how much a file may unpack to, and which methods of compression are taken. Archives in archives stay closed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from chapeta.chat.imports.cut_zip import cut_members, open_cut
from chapeta.chat.imports.tree import Skips
from chapeta.errors import BadInput
from chapeta.progress import SILENT, Progress
from chapeta.storage.zips import Bounded, TooLarge

EXPECTED = "Give the ZIP of a ChatGPT or Claude export, its folder, its conversations.json, or our own JSON export."
MOST_FILES = 200_000
MOST_DIRECTORY_BYTES = 32 << 20  # of a ZIP's own table, which is read at once
MOST_TOTAL_BYTES = 64 << 30
FREE_BYTES = 256 << 20  # up to here a file may be packed as tightly as it likes
MOST_RATIO = 200  # unpacked to packed beyond that; JSON of chats comes to about 10
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes of memory to unpack
ENCRYPTED = 0x1
CUT = "the ZIP file is cut off: what follows its last whole part is lost"
ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".xz", ".bz2")
RECORDS = (".json", ".jsonl", ".ndjson", "")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an export. size: bytes, unpacked, as stated; key: where it is found again."""

    name: str
    size: int
    key: object = None

    @property
    def may_hold_records(self) -> bool:
        return os.path.splitext(self.name.lower())[1] in RECORDS  # noqa: PTH122 - a name, not a path


class Archive(Protocol):
    """Files that can be read one by one."""

    name: str
    members: list[Member]

    def open(self, member: Member) -> BinaryIO: ...


@contextlib.contextmanager
def open_archive(path: Path, skips: Skips, listener: Progress = SILENT) -> Iterator[Archive]:
    """Looks at what is there. Raises BadInput for what cannot be read or is a bomb; what is passed over goes to `skips`."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            yield Folder(path, skips)
        elif not stat.S_ISREG(mode):
            raise BadInput(f"{path} is not a regular file.", EXPECTED)
        else:
            with path.open("rb") as file:
                start = file.read(4)
                file.seek(0)
                yield _zip(path, file, skips, listener) if start[:2] == b"PK" else Single(path)
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist.", f"Check the path; the current folder is {Path.cwd()}.") from None
    except PermissionError:
        raise BadInput(f"{path} may not be read.", "Change its permissions, or copy it.") from None


def read(archive: Archive, member: Member, most_bytes: int) -> bytes | None:
    """A small file as a whole; None if it is larger. Raises what a damaged archive raises."""
    if member.size > most_bytes:
        return None
    with archive.open(member) as file:
        data = file.read(most_bytes + 1)
    return data if len(data) <= most_bytes else None


class Single:
    """One file that is the export."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.members = [Member(path.name, path.stat().st_size, path)]

    def open(self, member: Member) -> BinaryIO:
        return cast(Path, member.key).open("rb")


class Folder:
    """An unpacked export. Links are not followed."""

    def __init__(self, path: Path, skips: Skips) -> None:
        self.name = str(path)
        self._path = path
        self.members: list[Member] = []
        for folder, names, files in os.walk(path, followlinks=False):
            names.sort()
            for name in sorted(files):
                self._add(Path(folder) / name, skips)
            if len(self.members) > MOST_FILES:
                raise BadInput(f"{path} holds more than {MOST_FILES:,} files.", EXPECTED)

    def _add(self, file: Path, skips: Skips) -> None:
        name = file.relative_to(self._path).as_posix()
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode):
            skips.add(name, "a link or a special file")
        elif not _is_archive(name, skips):
            self.members.append(Member(name, found.st_size, file))

    def open(self, member: Member) -> BinaryIO:
        handle = os.open(
            cast(Path, member.key), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        return os.fdopen(handle, "rb")


class Zip:
    """A whole ZIP."""

    def __init__(self, path: Path, file: zipfile.ZipFile, skips: Skips) -> None:
        self.name = str(path)
        self._file = file
        infos = sorted((info for info in file.infolist() if not info.is_dir()), key=lambda info: info.filename)
        if len(infos) > MOST_FILES:
            raise BadInput(f"{path} holds more than {MOST_FILES:,} files.", EXPECTED)
        self.members = []
        for info in infos:
            if _is_archive(info.filename, skips):
                continue
            if why := _refusal(info):
                skips.add(info.filename, why)
            else:
                self.members.append(Member(info.filename, info.file_size, info))
        if sum(member.size for member in self.members) > MOST_TOTAL_BYTES:
            raise BadInput(f"{path} unpacks to more than {MOST_TOTAL_BYTES >> 30} GiB.", EXPECTED)

    def open(self, member: Member) -> BinaryIO:
        try:
            return cast(BinaryIO, self._file.open(cast(zipfile.ZipInfo, member.key)))
        except (NotImplementedError, RuntimeError) as error:
            raise zipfile.BadZipFile(str(error)) from None


class CutZip:
    """A ZIP that has lost its end, and with it its table: what stands in it is found from the front."""

    def __init__(self, path: Path, file: BinaryIO, skips: Skips, listener: Progress) -> None:
        self.name = str(path)
        self._file = file
        self.members = []
        look = partial(listener.advance, 0, 0, "looking through a ZIP that is cut off")
        for name, size, start, method in cut_members(file, MOST_FILES, look):
            if method not in METHODS:
                skips.add(name, "packed in a way that is not read")
            elif not _is_archive(name, skips):
                self.members.append(Member(name, size, (start, method)))
        skips.add(path.name, CUT)

    def open(self, member: Member) -> BinaryIO:
        start, method = cast(tuple[int, int], member.key)
        return cast(BinaryIO, open_cut(self._file, start, method, member.size))


def _zip(path: Path, file: BinaryIO, skips: Skips, listener: Progress) -> Archive:
    try:
        return Zip(path, zipfile.ZipFile(Bounded(file, MOST_DIRECTORY_BYTES)), skips)
    except TooLarge:
        raise BadInput(f"{path} holds too many files for an export.", EXPECTED) from None
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError):
        return CutZip(path, file, skips, listener)


def _refusal(info: zipfile.ZipInfo) -> str:
    """Why a file of a ZIP is not read; "" if it is."""
    if info.flag_bits & ENCRYPTED:
        return "encrypted"
    if info.compress_type not in METHODS:
        return "packed in a way that is not read"
    if info.file_size > FREE_BYTES and info.file_size > MOST_RATIO * max(1, info.compress_size):
        return f"unpacks to more than {MOST_RATIO} times its size, as no export does"
    return ""


def _is_archive(name: str, skips: Skips) -> bool:
    if not name.lower().endswith(ARCHIVES):
        return False
    skips.add(name, "an archive within: unpack it and import it by itself")
    return True
