"""Opens a ZIP that may be hostile: what it can make us read into memory, and unpack, is bounded before anything is.

Bounds: 32 MiB for its table of contents, 100,000 files, 64 GiB and what the disk has free when all is unpacked; and a
file that claims more than 256 MiB may not be packed tighter than 1:200. `zipfile` never unpacks more than is claimed.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from chapeta.errors import BadInput

MOST_READ_BYTES = 32 << 20  # at once; zipfile reads the table of contents as one piece
MOST_FILES = 100_000
MOST_TOTAL_BYTES = 64 << 30
FREE_BYTES = 256 << 20
MOST_RATIO = 200
RESERVE_BYTES = 256 << 20  # of the disk, which stay free
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes of memory to unpack
ENCRYPTED = 0x1
TOO_MUCH = (
    "A backup is no larger: remove what you no longer need where it is written, or give a file of `chapeta backup`."
)
MOST_DEPTH, MOST_NAME_BYTES = 16, 200
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, UnicodeError)

_NAME = re.compile(r'[^\x00-\x1f\x7f"*:<>?\\|/\ud800-\udfff]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # are devices on Windows


@contextlib.contextmanager
def opened(path: Path, disk: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo], Counter[str]]]:
    """The ZIP, its files by name that may be read, and why how many others may not. disk: where they would be unpacked.

    Raises BadInput for what is no ZIP, and for one beyond the bounds.
    """
    try:
        with path.open("rb") as file:
            try:
                archive = zipfile.ZipFile(Bounded(file))
            except DAMAGE:
                raise BadInput(
                    f"{path} is no backup: it is no whole ZIP file.", "Give one of `chapeta backup`."
                ) from None
            yield archive, *_readable(path, archive, disk)
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder, not a backup.", "Give a file of `chapeta backup`.") from None
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist.", f"Check the path; the current folder is {Path.cwd()}.") from None
    except PermissionError:
        raise BadInput(f"{path} may not be read.", "Change its permissions, or copy it.") from None


def parts(name: str) -> tuple[str, ...] | None:
    """The parts of a file's name in a ZIP, if every system takes it and it leads nowhere else; else None."""
    found = tuple(name.split("/"))
    if not 1 < len(found) <= MOST_DEPTH:
        return None
    return found if all(map(_is_plain, found)) else None


def require_bounds(path: Path, infos: Collection[zipfile.ZipInfo]) -> None:
    """Raises BadInput for a backup that holds more than is unpacked: one that is read, or that was just written."""
    total = sum(info.file_size for info in infos)
    if len(infos) > MOST_FILES:
        raise BadInput(f"{path} holds more than {MOST_FILES:,} files.", TOO_MUCH)
    if total > MOST_TOTAL_BYTES:
        bound = f"{MOST_TOTAL_BYTES >> 30} GiB is the bound"
        raise BadInput(f"{path} unpacks to {total >> 20:,} MiB, and {bound}.", TOO_MUCH)


def is_too_tight(infos: Collection[zipfile.ZipInfo]) -> bool:
    """Whether these files together claim to be larger than is believed of what they are packed in."""
    size = sum(info.file_size for info in infos)
    return size > FREE_BYTES and size > MOST_RATIO * max(1, sum(info.compress_size for info in infos))


def _is_plain(part: str) -> bool:
    if not _NAME.fullmatch(part) or part in (".", "..") or part[-1] in " ." or _RESERVED.fullmatch(part):
        return False
    return len(part.encode()) <= MOST_NAME_BYTES


def _readable(path: Path, archive: zipfile.ZipFile, disk: Path) -> tuple[dict[str, zipfile.ZipInfo], Counter[str]]:
    refused: Counter[str] = Counter()
    found: dict[str, zipfile.ZipInfo] = {}
    require_bounds(path, archive.filelist)
    for info in archive.filelist:
        why = _refusal(info, found)
        if why:
            refused[why] += 1
        elif not info.is_dir():
            found[info.filename] = info
    total = sum(info.file_size for info in found.values())
    free = shutil.disk_usage(disk).free - RESERVE_BYTES
    if total > free:
        bound = f"the disk has {max(0, free) >> 20:,} MiB to spare"
        raise BadInput(f"{path} unpacks to {total >> 20:,} MiB, and {bound}.", "Free some space, or give another.")
    if is_too_tight(found.values()):
        raise BadInput(f"{path} is packed tighter than 1:{MOST_RATIO}, as no backup is.", "Give another.")
    return found, refused


def _refusal(info: zipfile.ZipInfo, found: dict[str, zipfile.ZipInfo]) -> str:
    """Why a file is not read; "" if it is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "links and special files"
    if info.filename in found:
        return "files that are there twice"
    if info.flag_bits & ENCRYPTED or info.compress_type not in METHODS:
        return "encrypted files, or packed in a way that is not read"
    if is_too_tight([info]):
        return f"files packed tighter than 1:{MOST_RATIO}"
    return ""


class TooLarge(zipfile.BadZipFile):
    """A ZIP that would have us read more at once than we do."""


class Bounded:
    """An open file as `zipfile` needs it, of which no more than `most` bytes are read at once.

    zipfile reads the table of contents as one piece, as long as a hostile file says, wherever in the file it says so.
    """

    def __init__(self, file: BinaryIO, most: int | None = None) -> None:
        self._file = file
        self._most = MOST_READ_BYTES if most is None else most

    def read(self, size: int = -1, /) -> bytes:
        if size > self._most or len(data := self._file.read(self._most + 1 if size < 0 else size)) > self._most:
            raise TooLarge(f"more than {self._most:,} bytes in one piece")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
