"""chapeta jobs                 the jobs that the app was given, newest first
chapeta jobs show NUMBER     where a job is, or how it ended
chapeta jobs cancel NUMBER   end a job; what it has done is kept in its run
chapeta jobs run             work off the queue without the app, until it is empty
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from chapeta.cli import options
from chapeta.errors import BadInput

if TYPE_CHECKING:
    from chapeta.jobs import Job, Watch
    from chapeta.types import Json

ACTIONS = ("list", "show", "cancel", "run")
LIST_MOST = 50
LOOK_EVERY_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="what to do (list)")
    parser.add_argument("job", nargs="?", metavar="NUMBER", help="show, cancel: which job")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    wants_job = arguments.action in ("show", "cancel")
    if wants_job and not arguments.job:
        raise BadInput(f"`jobs {arguments.action}` needs a job's number.", "`chapeta jobs` shows them.")
    if arguments.job and not wants_job:
        raise BadInput(f"`jobs {arguments.action}` takes no number, but '{arguments.job}' was given.", "Leave it out.")
    {"list": _list, "show": _show, "cancel": _cancel, "run": _run}[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> None:
    from chapeta.jobs import jobs

    found = jobs(LIST_MOST)
    if arguments.json:
        options.print_json({"jobs": [_about(job) for job in found]})
        return
    for job in found:
        print(f"{job.id:>4}  {_status(job):<10} {job.title:<24} {_when(job.submitted_s)}")
    if not found:
        print("no jobs yet: they are begun in the app, on the page Specialise")


def _show(arguments: argparse.Namespace) -> None:
    from chapeta.jobs import watch

    found = watch(arguments.job)
    if arguments.json:
        options.print_json({**_about(found.job), "live": _live(found), "log": found.log})
        return
    job = found.job
    print(f"job {job.id}: {job.title}, {_status(job)}" + (f", {found.ahead} before it" if found.ahead else ""))
    if found.live is not None and not job.is_over:
        share = "" if found.live.share is None else f" {found.live.share:.0%}"
        print(f"  {found.live.stage}{share} {found.live.note}".rstrip())
    if job.state.error:
        print(f"  {job.state.error} {job.state.remedy}".rstrip())
    print(f"  run: {job.run}\n  log: {job.log}")


def _cancel(arguments: argparse.Namespace) -> None:
    from chapeta.jobs import cancel

    job = cancel(arguments.job)
    if arguments.json:
        options.print_json(_about(job))
    else:
        print(f"job {job.id}: {_status(job)}")


def _run(arguments: argparse.Namespace) -> None:
    """Begins jobs until none waits; what is interrupted here goes on without us, and says so."""
    from chapeta.cli.draw import progress
    from chapeta.jobs import Runner, job, watch

    runner, stage, worked = Runner(), "", []
    with progress(quiet=arguments.json) as listener:
        while (current := runner.step()) is not None or _is_waiting():
            if current is not None:
                if current.id not in worked:
                    worked.append(current.id)
                    listener.say(f"job {current.id}: {current.title}")
                live = watch(current.id).live
                if live is not None:
                    if live.stage != stage:
                        stage = live.stage
                        listener.stage(stage)
                    listener.advance(live.done, live.total, live.note)
            time.sleep(LOOK_EVERY_S)
    done = [job(number) for number in worked]
    if arguments.json:
        options.print_json({"jobs": [_about(one) for one in done]})
        return
    for one in done:
        print(f"job {one.id}: {one.title}, {_status(one)} {one.state.error}".rstrip())
    if not done:
        print("no job waits")


def _is_waiting() -> bool:
    from chapeta.jobs import jobs

    return any(not job.is_over for job in jobs())


def _about(job: Job) -> Json:
    state = job.state
    return {
        "id": job.id, "kind": job.kind, "title": job.title, "status": _status(job), "run": str(job.run),
        "submitted_s": job.submitted_s, "began_s": state.began_s, "ended_s": state.ended_s, "error": state.error,
        "remedy": state.remedy, "result": state.result,
    }  # fmt: skip


def _live(found: Watch) -> Json | None:
    live = found.live
    if live is None:
        return None
    return {"stage": live.stage, "share": live.share, "note": live.note, "seconds_left": live.seconds_left}


def _status(job: Job) -> str:
    return "ending" if job.cancelling else job.status


def _when(moment_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment_s))
