"""Deployments: a name that resolves to a candidate. One folder each, so that a deployment outlives the run it came from.

A deployment's folder holds `deployment.json`, its own copy of the adapter, and the examples that it shows, if any.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

from chapeta import config
from chapeta.errors import BadInput
from chapeta.examples.nearest import Nearest
from chapeta.files import disk_errors, read_json, write_json
from chapeta.types import Candidate, Constraint, Decoding, Example, Json, Labels, Message, Schema


def deploy(name: str, candidate: Candidate, fallbacks: tuple[str, ...] = ()) -> Path:
    """Makes `name` answer as the candidate does, replacing what the name stood for before. Returns its folder.

    fallbacks: models that take over, in this order, when the candidate's own does not answer.
    """
    check_name(name)
    folder = config.deployments_dir() / name
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if candidate.adapter:
            # named by the run's own content below, so a name that is deployed again never serves half an adapter
            kept = (
                folder / f"adapter-{candidate.name.replace('+', '-')}-{Path(candidate.adapter).stat().st_mtime_ns}.gguf"
            )
            if not kept.exists():
                partial = kept.with_suffix(".partial")
                shutil.copyfile(candidate.adapter, partial)
                partial.replace(kept)
            candidate = dataclasses.replace(candidate, adapter=str(kept))
        write_json(folder / "deployment.json", {**candidate_to_json(candidate), "fallbacks": list(fallbacks)})
        for old in folder.glob("adapter-*.gguf"):
            if str(old) != candidate.adapter:
                old.unlink()
    return folder


def find(name: str) -> Candidate | None:
    """The candidate behind a name, or None if nothing is deployed under it."""
    if not _NAME.fullmatch(name):
        return None
    file = config.deployments_dir() / name / "deployment.json"
    return candidate_from_json(read_json(file, "chapeta deploy")) if file.exists() else None


def fallbacks(name: str) -> tuple[str, ...]:
    """The models that take over when a deployment's own does not answer."""
    data = read_json(config.deployments_dir() / name / "deployment.json", "chapeta deploy")
    return tuple(data.get("fallbacks", ()))


def remove(name: str) -> bool:
    """Removes a deployment; False if there is none of this name."""
    if find(name) is None:
        return False
    shutil.rmtree(config.deployments_dir() / name)
    return True


def names() -> tuple[str, ...]:
    """The names that are deployed, in alphabetical order."""
    return tuple(sorted(file.parent.name for file in config.deployments_dir().glob("*/deployment.json")))


def check_name(name: str) -> None:
    """Raises BadInput if a name would not do for a deployment."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"'{name[:80]}' cannot be a name.",
            "Use 1 to 64 lower-case letters, digits and single hyphens: --name my-task.",
        )


_NAME = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")


def candidate_to_json(candidate: Candidate) -> Json:
    """A candidate as JSON, the examples that it shows or searches included."""
    nearest = candidate.retriever
    return {
        "name": candidate.name,
        "model": candidate.model,
        "system": candidate.system,
        "adapter": candidate.adapter,
        "decoding": {
            **dataclasses.asdict(candidate.decoding),
            "constraint": constraint_to_json(candidate.decoding.constraint),
        },
        "shots": [_example_to_json(e) for e in candidate.shots],
        "nearest": {"k": nearest.k, "pool": [_example_to_json(e) for e in nearest.pool]}
        if isinstance(nearest, Nearest)
        else None,
    }


def candidate_from_json(data: Json) -> Candidate:
    """The inverse of `candidate_to_json`."""
    nearest = data["nearest"]
    return Candidate(
        name=data["name"],
        model=data["model"],
        system=data["system"],
        adapter=data["adapter"],
        decoding=Decoding(**{**data["decoding"], "constraint": constraint_from_json(data["decoding"]["constraint"])}),
        shots=tuple(_example_from_json(e) for e in data["shots"]),
        retriever=Nearest(tuple(_example_from_json(e) for e in nearest["pool"]), nearest["k"]) if nearest else None,
    )


def constraint_to_json(constraint: Constraint | None) -> Json | None:
    if isinstance(constraint, Labels):
        return {"labels": list(constraint.values)}
    return {"schema": constraint.schema} if constraint else None


def constraint_from_json(data: Json | None) -> Constraint | None:
    if not data:
        return None
    return Labels(tuple(data["labels"])) if "labels" in data else Schema(data["schema"])


def _example_to_json(example: Example) -> Json:
    return {"messages": [[m.role, m.content] for m in example.messages], "answer": example.answer}


def _example_from_json(data: Json) -> Example:
    return Example(tuple(Message(role, content) for role, content in data["messages"]), data["answer"])
