"""`chapeta skills write RUN`: writes SKILL.md from the training rows of a run. Edit the file as you like: the bench uses
what is in it."""

from __future__ import annotations

import argparse

from chapeta.cli import options


def write(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.gateway.door import Gateway
    from chapeta.stages.candidates import write_skill_stage
    from chapeta.stages.prepare import splits_of, task_of
    from chapeta.stages.run import Run

    opened = Run.open(arguments.words[0])
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
