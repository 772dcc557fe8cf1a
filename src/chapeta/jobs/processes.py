"""Ending processes: politely first, and only those that are surely meant."""

from __future__ import annotations

import contextlib
import signal

SAME_MOMENT_S = 2.0  # how far two readings of one process's beginning may lie apart when the clock is set


def began_s(pid: int) -> float | None:
    """When the process began, in seconds since 1970; None if there is none of this number, or only what is left of one.

    A process that was killed keeps its number until its parent has asked for its exit code.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def is_same(pid: int | None, pid_began_s: float | None) -> bool:
    """Whether this process is still the one that began then: numbers are used again."""
    if pid is None or pid_began_s is None:
        return False
    now = began_s(pid)
    return now is not None and abs(now - pid_began_s) < SAME_MOMENT_S


def end(pid: int, grace_s: float) -> None:
    """Interrupts a process as Ctrl-C does; what is left of it and of its children after `grace_s` is killed.

    To be called only for a child that was not waited for yet, or after `is_same`.
    """
    import psutil

    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return
    with contextlib.suppress(psutil.Error):
        family[0].send_signal(signal.SIGINT)
    _, left = psutil.wait_procs(family, timeout=grace_s)
    for process in left:
        with contextlib.suppress(psutil.Error):  # it looks whether the number still means the same process
            process.kill()
    psutil.wait_procs(left, timeout=grace_s)
