"""Which column holds what: as the user says, or recognised by its name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from chapeta.errors import BadInput

INPUT_NAMES = [
    "input",
    "text",
    "question",
    "prompt",
    "query",
    "utterance",
    "message",
    "sentence",
    "instruction",
    "user",
    "request",
    "content",
    "document",
    "ticket",
    "email",
    "body",
    "source",
    "description",
    "title",
]
OUTPUT_NAMES = [
    "output",
    "label_text",
    "label",
    "category",
    "intent",
    "answer",
    "completion",
    "response",
    "target",
    "class",
    "expected",
    "reply",
    "assistant",
    "sentiment",
    "summary",
    "translation",
    "result",
]
OPTIONS = "Name them with --input COLUMN and --output COLUMN."


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns (or JSON keys) chosen by the user; None is "recognise it by its name"."""

    input: str | None = None
    output: str | None = None
    group: str | None = None
    weight: str | None = None

    @property
    def maps(self) -> bool:
        """Whether the user says himself where input or output stand."""
        return self.input is not None or self.output is not None

    def resolve(self, names: Iterable[str], source: str) -> Columns:
        """All four columns as they are named in the file; `BadInput` lists the names where one is not found."""
        present = [name for name in names if name]
        listed = self.require(present, source)
        if len(present) < 2:
            remedy = "Two are needed, one for inputs and one for outputs."
            raise BadInput(f"{source} has one column only: {listed}.", remedy)
        output = self.output or _first(OUTPUT_NAMES, present, {self.input})
        given = self.input or _first(INPUT_NAMES, present, {output})
        if given is None or output is None:
            lacking = " and ".join(what for what, name in (("input", given), ("output", output)) if name is None)
            raise BadInput(f"Cannot tell which column of {source} is the {lacking}. Its columns: {listed}.", OPTIONS)
        if given == output:
            raise BadInput(f"{source}: column {given!r} cannot be both input and output.", OPTIONS)
        group = self.group or (None if "group" in (given, output) else "group")
        weight = self.weight or (None if "weight" in (given, output) else "weight")
        return Columns(given, output, group, weight)

    def require(self, present: Iterable[str], source: str) -> str:
        """Refuse a column that the user named and the file lacks; returns the names there are, for messages."""
        names = list(present)
        listed = ", ".join(names) if names else "none"
        chosen = {"input": self.input, "output": self.output, "group": self.group, "weight": self.weight}
        for option, name in chosen.items():
            if name is not None and name not in names:
                reason = f"{source} has no column {name!r} (--{option}). Its columns: {listed}."
                raise BadInput(reason, "Name one of these.")
        return listed


def _first(wanted: Iterable[str], present: list[str], taken: Collection[str | None]) -> str | None:
    """The first wanted name that the file has, whatever its case."""
    by_name = {name.strip().casefold(): name for name in reversed(present) if name not in taken}
    return next((by_name[name] for name in wanted if name in by_name), None)
