"""Reading in a child process: started for one file, watched, and ended whatever it does."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from chapeta.chat.documents.document import MAX_CHARS, Document
from chapeta.errors import BadInput

WALL_S = 60.0
MAX_ANSWER_BYTES = 8 * MAX_CHARS  # JSON of text beyond ASCII
AT_ONCE = 2  # children; further files wait, so that a dropped folder does not take the machine
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "HOME", "USERPROFILE")  # no key of any provider

_turns = threading.BoundedSemaphore(AT_ONCE)


class _Answer(msgspec.Struct):
    """What the child says: a document, or why there is none."""

    text: str = ""
    pages: int | None = None
    warnings: list[str] = []
    message: str = ""
    remedy: str = ""


def read_in_child(name: str, kind: str, data: bytes, wall_s: float = WALL_S) -> Document:
    """The document. Raises BadInput for what its reader refuses, and where the reader ends badly or takes too long."""
    with _turns, tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        with _child(name, kind, file.fileno(), wall_s) as (process, timed_out):
            assert process.stdout is not None
            said = process.stdout.read(MAX_ANSWER_BYTES + 1)
            if len(said) > MAX_ANSWER_BYTES:
                process.kill()
            process.wait()
    if timed_out.is_set():
        raise BadInput(f"{name} takes longer than {wall_s:g} s to read.", "Attach a part of it.")
    try:
        answer = msgspec.json.decode(said, type=_Answer)
    except msgspec.DecodeError:
        raise BadInput(
            f"{name} could not be read: it is damaged, or needs too much memory or time.",
            "Save it anew, or attach a part of it.",
        ) from None
    if answer.message:
        raise BadInput(answer.message, answer.remedy)
    return Document(name, kind, answer.text, answer.pages, tuple(answer.warnings))


@contextmanager
def _child(
    name: str, kind: str, stdin: int, wall_s: float
) -> Iterator[tuple[subprocess.Popen[bytes], threading.Event]]:
    """The child, and whether it had to be killed for taking too long. It is gone at the end."""
    environment = {key: os.environ[key] for key in _KEPT_VARIABLES if key in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # what is installed here is installed there
    command = [sys.executable, "-P", "-B", "-m", "chapeta.chat.documents.child", kind, name]
    timed_out = threading.Event()
    with subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:

        def give_up() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(wall_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield process, timed_out
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
