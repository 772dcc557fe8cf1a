"""chapeta skill write RUN       write SKILL.md from the training rows of a run

Edit the file as you like: the bench uses what is in it. --again writes it anew.
"""

from __future__ import annotations

import argparse

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("write",), help="write the run's SKILL.md")
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument("--again", action="store_true", help="write it anew, even over changes made by hand")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.gateway.door import Gateway
    from chapeta.stages.candidates import write_skill_stage
    from chapeta.stages.prepare import splits_of, task_of
    from chapeta.stages.run import Run

    opened = Run.open(arguments.run)
    with Gateway() as gateway, progress(quiet=arguments.json) as listener:
        splits = splits_of(opened, gateway, listener)
        task = task_of(opened, splits, gateway)
        skill = write_skill_stage(opened, task, splits, gateway, listener, arguments.again)
    file = opened.folder / "skill" / opened.settings.name / "SKILL.md"
    if arguments.json:
        options.print_json(
            {"skill": str(file), "name": skill.name, "description": skill.description, "body": skill.body}
        )
    else:
        print(file)
