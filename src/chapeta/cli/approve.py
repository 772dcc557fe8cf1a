"""Asks before providers are paid for, unless the user has agreed beforehand by --yes or set a cap by --budget-usd."""

from __future__ import annotations

import argparse
import sys

from chapeta.errors import OverLimit
from chapeta.progress import Progress
from chapeta.stages.estimate import Approve, Estimate


def approval(arguments: argparse.Namespace, budget_usd: float | None, listener: Progress) -> Approve:
    """What the command line does with an estimate."""

    def approve(estimate: Estimate) -> None:
        if not estimate.calls:
            return
        listener.say(f"To come: {estimate}")
        if arguments.yes or budget_usd is not None or (estimate.usd == 0 and not estimate.unpriced):
            return
        if sys.stdin.isatty() and sys.stderr.isatty():
            listener.say("Go on? [y/N]")
            if sys.stdin.readline().strip().lower() in ("y", "yes"):
                return
            raise OverLimit("Stopped before anything was paid for.", "The same command goes on from here.")
        raise OverLimit(f"The bench needs {estimate}.", "Agree to it with --yes, or set a cap with --budget-usd X.")

    return approve
