"""The child process that parses one file: `python -m chapeta.chat.documents.child KIND NAME < file`, answers in JSON.

It binds itself before it reads a byte: memory, processor time, no file of any size, no new program. Python's own calls
that write, connect or start something are refused by an audit hook as well, for the systems that know no such limits.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

from chapeta.chat.documents.document import bounded
from chapeta.chat.documents.kinds import DOCX, HTML, PDF, PPTX, XLSX
from chapeta.errors import ChapetaError

MEMORY_BYTES = 1_500_000_000
CPU_S = 45
READERS = {PDF: "pdf", DOCX: "office", XLSX: "office", PPTX: "office", HTML: "web"}
_REFUSED = (
    "socket.", "subprocess.", "os.exec", "os.fork", "os.spawn", "os.posix_spawn", "os.system", "os.startfile",
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "shutil.", "tempfile.", "ftplib.", "smtplib.", "urllib.Request", "webbrowser.", "sqlite3.connect", "pty.spawn",
)  # fmt: skip


def main(kind: str, name: str) -> None:
    """Writes the answer, and ends the process."""
    module = import_module(f"chapeta.chat.documents.{READERS[kind]}")
    module.prepare(kind)  # imports its library, before opening files is watched
    bind()
    data = sys.stdin.buffer.read()
    warnings: list[str] = []
    try:
        text, pages = module.read(name, kind, data, warnings)
        answer: dict[str, Any] = {"text": bounded(text, warnings), "pages": pages, "warnings": warnings}
    except ChapetaError as error:
        answer = {"message": error.message, "remedy": error.remedy}
    except (MemoryError, RecursionError):
        answer = {
            "message": f"{name} needs too much memory to read.",
            "remedy": "Save it anew, or attach a part of it.",
        }
    except Exception as error:  # noqa: BLE001 - the readers of others raise what they like at broken files
        found = type(error).__name__
        answer = {
            "message": f"{name} is damaged or cut short ({found}).",
            "remedy": "Get the file again, or save it anew.",
        }
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()


def bind() -> None:
    """Limits of the system where it has them, and Python's own refusal."""
    sys.addaudithook(_audit)
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is what is left
        return
    limits = (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    )
    for what, most in limits:
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # macOS refuses some of them
            continue


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_REFUSED) or (event == "open" and _is_writing(arguments)):
        raise PermissionError(event)


def _is_writing(arguments: tuple[Any, ...]) -> bool:
    """An event of `open`: (path, mode, flags); mode is None for `os.open`."""
    _, mode, flags = (*arguments, None, None, None)[:3]
    named = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return named or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
