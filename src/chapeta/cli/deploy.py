"""Gives a candidate a name: `chapeta ask NAME "…"` and `chapeta chat NAME` answer as it does.

chapeta deploy support-triage                     the verdict's choice, under the run's name
chapeta deploy support-triage --candidate skill --name triage-by-skill
"""

from __future__ import annotations

import argparse

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument("--candidate", help="which candidate (default: the verdict's choice)")
    parser.add_argument("--name", help="name of the deployment (default: the run's)")
    parser.add_argument(
        "--fallback",
        metavar="MODEL",
        action="append",
        default=[],
        help="takes over if the model fails; may be repeated",
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.specialize import deploy_candidate
    from chapeta.stages.run import Run

    opened = Run.open(arguments.run)
    verdict = opened.read("verdict.json", f"bench {opened.label}")
    chosen = arguments.candidate or verdict["use"]
    name = deploy_candidate(opened, chosen, arguments.name, tuple(arguments.fallback))
    if arguments.json:
        options.print_json({"deployment": name, "candidate": chosen})
    else:
        print(f'{name} answers as {chosen}: chapeta ask {name} "…"')
        if verdict["indicative"] or verdict["advice"] == "get more data":
            print("The verdict is indicative: more rows may change it.")
