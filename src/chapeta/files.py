"""Writing files so that a reader never sees half of one, whatever kills the writer."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from chapeta import config
from chapeta.errors import BadInput, Corrupt, Missing

UNFINISHED = ".part"  # ends the names of temporary files: what a killed writer leaves is known by it


def write_atomic(path: Path, content: str | bytes, mode: int = 0o644) -> Path:
    """Writes a file whole or not at all: to a temporary file beside it, flushed to disk, then renamed over it.

    `mode` says who may read it. Raises BadInput with the path where the disk is full or the folder may not be written.
    """
    with replacing(path, mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and is gone when it does not. `mode`: who may read it.

    Raises BadInput with the path where the disk is full or the folder may not be written.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, mode)  # noqa: PTH101 - the temporary file is a plain string here
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def passing_folder() -> Path:
    """A new folder for a file on its way in or out; the caller removes it. What a kill leaves, `jobs/leftovers.py` clears.

    In the data directory and not in the system's folder for temporary files, which may be small, and is others' too.
    """
    base = config.passing_dir()
    with disk_errors(base):
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(dir=base))


@contextlib.contextmanager
def passing() -> Iterator[Path]:
    """`passing_folder` for as long as the block lasts."""
    folder = passing_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, value: Any) -> Path:
    """Writes a value as indented JSON, atomically. NaN is refused."""
    return write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def read_json(path: Path, made_by: str) -> Any:
    """Reads a JSON file that an earlier stage wrote. `made_by` is the command that makes it, named when it is missing."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(f"{path} does not exist.", f"Run `{made_by}` first.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"{path} is not valid JSON ({error}).", f"Run `{made_by}` again to write it anew.") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write into errors that name the path and the next step."""
    try:
        yield
    except OSError as error:
        remedies = {
            errno.ENOSPC: "The disk is full. Free some space, then run the same command again: it goes on where it was.",
            errno.EDQUOT: "Your disk quota is used up. Free some space, then run the same command again.",
            errno.EACCES: "You may not write there. Choose another folder with --out, or change its permissions.",
            errno.EROFS: "That place is read-only. Choose another folder with --out, or set CHAPETA_HOME.",
            errno.ENAMETOOLONG: "Give a shorter name.",
            errno.EFBIG: "This disk's file system takes no file as large. Choose a place on another disk.",
            errno.EIO: "The disk does not work as it should. Look after it, or choose a place on another one.",
            errno.ENOTDIR: "A part of that path is a file, not a folder. Choose another folder with --out.",
        }
        remedy = remedies.get(error.errno or 0)
        if remedy is None:
            raise
        raise BadInput(f"Cannot write {path} ({error.strerror}).", remedy) from error
