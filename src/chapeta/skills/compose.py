"""Puts a skill's text together from what the examples show, as much of it as fits, the most useful parts first.

`Material` is everything that could be said; `Plan` says how much of it is; `body` renders one plan; `fitted` grows the
plan step by step in the order of usefulness and keeps every step that still fits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from chapeta.skills.fields import Field, fields_of, is_nested, shown
from chapeta.skills.prompts import field_line, one_of
from chapeta.skills.rows import Confusion, Row, confusions, rows_of, spread
from chapeta.skills.style import answer_style, message_languages, value_style
from chapeta.skills.words import Cue, cues_by_value, quoted
from chapeta.types import Example, Labels, Schema, Task

MAX_CUES = 6
MIN_CUES = 2
MAX_SHOTS = 12
FIRST_SHOTS = 4
MAX_PAIRS = 6
MAX_QUOTED_CHARS = 300
COMMON_SHARE = 0.4
HINT = "Words often found in such messages; they are hints, so go by what the writer wants."


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to say. `shots` and `pairs` best first.

    cues: by (field name, value), without the fields in `languages`; the other dicts by field name.
    """

    task: Task
    title: str
    fields: tuple[Field, ...]
    cues: dict[tuple[str, str], tuple[Cue, ...]]
    commonest: dict[str, str]
    languages: dict[str, str]
    open_notes: dict[str, str]
    style: tuple[str, ...]
    pairs: tuple[Confusion, ...]
    shots: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is said: values, notes on fields, cues a value, style facts, the usual value; pairs and examples."""

    values: bool = False
    notes: bool = False
    cues: int = 0
    style: int = 0
    pairs: tuple[int, ...] = ()
    shots: tuple[int, ...] = ()
    commonest: bool = False


def study(task: Task, train: Sequence[Example], title: str) -> Material:
    """Everything worth saying about a task, from the training examples alone."""
    rows = rows_of(task, train)
    fields = fields_of(task)
    closed = [field for field in fields if field.closed]
    free = task.constraint is None
    n_shots = 4 if free else min(MAX_SHOTS, max(4, max((len(field.values) for field in closed), default=4)))
    quotable = [row for row in rows if len(row.example.question) <= MAX_QUOTED_CHARS] or rows
    style = answer_style([r.example.question for r in rows], [r.example.answer for r in rows]) if free else []
    languages = _languages(rows, closed)
    worded = [field for field in closed if field.name not in languages]
    return Material(
        task=task,
        title=title,
        fields=fields,
        cues={key: found for key, found in _all_cues(rows, closed).items() if key[0] not in languages},
        commonest={name: said for name, said in _commonest(rows, closed).items() if name not in languages},
        languages=languages,
        open_notes=_open_notes(rows, fields),
        style=tuple(style),
        pairs=() if free else confusions(quotable, closed, worded, MAX_PAIRS),
        shots=spread(quotable, n_shots),
    )


def fitted(material: Material, count_tokens: Callable[[str], int], token_limit: int) -> tuple[str, Plan]:
    """The fullest text within the limit and its plan; the bare task alone may exceed it: the caller checks."""
    plan = Plan()
    text = body(material, plan)
    for step in _steps(material):
        wider = step(plan)
        longer = body(material, wider)
        if count_tokens(longer) <= token_limit:
            plan, text = wider, longer
    return text, plan


def body(material: Material, plan: Plan) -> str:
    """The Markdown for one plan."""
    sections = [f"# {material.title}", _task_section(material, plan)]
    sections += _field_sections(material, plan)
    sections += _style_section(material, plan)
    sections += _pair_section(material, plan)
    sections += _shot_section(material, plan)
    return "\n\n".join(section for section in sections if section)


def _steps(material: Material) -> Iterator[Callable[[Plan], Plan]]:
    """What to add to the bare task, the most useful first; a step that does not fit is left out."""
    yield partial(replace, values=True)
    yield partial(replace, notes=True)
    yield partial(replace, cues=1)
    for n in range(1, len(material.style) + 1):
        yield partial(replace, style=n)
    yield partial(replace, cues=3)
    for n in range(min(FIRST_SHOTS, len(material.shots))):
        yield partial(_with_shot, n)
    yield partial(replace, commonest=True)
    for n in range(max(MAX_PAIRS, MAX_SHOTS)):
        if n < len(material.pairs):
            yield partial(_with_pair, n)
        if n < 2:
            yield partial(replace, cues=(4, MAX_CUES)[n])
        if FIRST_SHOTS + n < len(material.shots):
            yield partial(_with_shot, FIRST_SHOTS + n)


def _with_shot(n: int, plan: Plan) -> Plan:
    return replace(plan, shots=(*plan.shots, n))


def _with_pair(n: int, plan: Plan) -> Plan:
    return replace(plan, pairs=(*plan.pairs, n))


def _all_cues(rows: Sequence[Row], closed: Sequence[Field]) -> dict[tuple[str, str], tuple[Cue, ...]]:
    """The cues of every value; none for a field where no value has several: single ones may be chance."""
    found = {}
    words = [row.features for row in rows]
    for column, field in enumerate(closed):
        cues = cues_by_value(words, [row.labels[column] for row in rows], field.values, MAX_CUES)
        if len(field.values) > 1 and max(map(len, cues.values())) >= MIN_CUES:
            found.update({(field.name, value): own for value, own in cues.items()})
    return found


def _commonest(rows: Sequence[Row], closed: Sequence[Field]) -> dict[str, str]:
    """A sentence for each field of which one value is clearly the usual one."""
    said = {}
    for column, field in enumerate(closed):
        counts = Counter(label for row in rows for label in row.labels[column])
        for value, count in counts.most_common(1):
            share = count / len(rows)
            if len(field.values) > 2 and share >= max(COMMON_SHARE, 1.5 / len(field.values)) and value in field.values:
                said[field.name] = f"If nothing decides, choose {one_of([value])}: {_about(share)} messages are."
    return said


def _languages(rows: Sequence[Row], closed: Sequence[Field]) -> dict[str, str]:
    """For each field that turns out to be the language of the message, a line that says so."""
    questions = [row.example.question for row in rows]
    said = {}
    for column, field in enumerate(closed):
        values = [next(iter(row.labels[column]), "") for row in rows]
        names = message_languages(questions, values, field.values) if field.kind == "label" else {}
        if names:
            listed = one_of(
                [f"{value} ({name})" if value.lower() != name.lower() else value for value, name in names.items()]
            )
            said[field.name] = f"the language the message is mainly written in: {listed}"
    return said


def _open_notes(rows: Sequence[Row], fields: Sequence[Field]) -> dict[str, str]:
    questions = [row.example.question for row in rows]
    return {f.name: value_style(questions, [f.raw(row.answer) for row in rows]) for f in fields if not f.closed}


def _task_section(material: Material, plan: Plan) -> str:
    constraint = material.task.constraint
    if isinstance(constraint, Labels):
        labels = f": {one_of(constraint.values)}" if plan.values and not (plan.cues and material.cues) else ""
        case = ", in lower case" if all(v == v.lower() for v in constraint.values) else ""
        end = f", exactly as written here{case}" if plan.values else ""
        return f"Read the message and give the one label that fits it best{labels}. Answer with the label alone{end}."
    if isinstance(constraint, Schema):
        keys = list(dict.fromkeys(field.path[0] for field in material.fields))
        named = f" with the key{'s' * (len(keys) > 1)} {', '.join(keys)}, in this order" if plan.values and keys else ""
        example = ""
        if plan.values and material.shots and not plan.shots and is_nested(material.fields):
            example = f"\n\nIt looks like this: {_answer(material.shots[0])}"
        return (
            f"Read the message and answer with one JSON object{named}. "
            f"Write it on one line without spaces between its parts, and nothing before or after it.{example}"
        )
    like = " as the examples below do: same length, same form, same tone" if plan.shots else ""
    return f"Answer the message{like}."


def _field_sections(material: Material, plan: Plan) -> list[str]:
    """A section for each field that has more to say than fits a line, after one list of the rest."""
    if not plan.values:
        return []
    if isinstance(material.task.constraint, Labels):
        field = material.fields[0]
        told = plan.cues and (field.name, field.values[0]) in material.cues
        return [_values_section("What speaks for each label", field, material, plan, HINT)] if told else []
    lines: list[str] = []
    sections: list[str] = []
    for field in material.fields:
        if field.closed and len(field.values) > 1 and plan.cues and (field.name, field.values[0]) in material.cues:
            sections.append(_values_section(field.name, field, material, plan, "" if sections else HINT))
        else:
            lines.append(_line(field, material, plan))
    heading = "## The other keys" if sections else "## What goes where"
    return [*sections, *(["\n".join([heading, "", *lines])] if lines else [])]


def _line(field: Field, material: Material, plan: Plan) -> str:
    note = material.open_notes.get(field.name) or material.languages.get(field.name) if plan.notes else None
    usual = f" {material.commonest[field.name]}" if plan.commonest and field.name in material.commonest else ""
    return f"- {field.name}: {note or field_line(field)}.{usual}"


def _values_section(title: str, field: Field, material: Material, plan: Plan, hint: str) -> str:
    lines = [hint, ""] if hint else []
    for value in field.values:
        found = material.cues[field.name, value][: plan.cues] if (field.name, value) in material.cues else ()
        lines.append(f"- {one_of([value])}: {quoted(found)}" if found else f"- {one_of([value])}")
    usual = [material.commonest[field.name]] if plan.commonest and field.name in material.commonest else []
    return "\n".join([f"## {title}", "", *lines, *([""] if usual else []), *usual])


def _style_section(material: Material, plan: Plan) -> list[str]:
    if not plan.style:
        return []
    return ["\n".join(["## How answers look", "", *(f"- {fact}" for fact in material.style[: plan.style])])]


def _pair_section(material: Material, plan: Plan) -> list[str]:
    if not plan.pairs:
        return []
    lines = []
    for pair in (material.pairs[n] for n in plan.pairs):
        where = f"{pair.field.name} " if pair.field.path else ""
        first, second = one_of([pair.first]), one_of([pair.second])
        one, other = _quote(pair.first_row), _quote(pair.second_row)
        lines.append(f"- {where}{first} or {second}? {one} is {first}, but {other} is {second}.")
    return ["\n".join(["## Easily confused", "", *lines])]


def _shot_section(material: Material, plan: Plan) -> list[str]:
    if not plan.shots:
        return []
    shots = [material.shots[n] for n in plan.shots]
    if isinstance(material.task.constraint, Labels):
        lines = [f"- {_quote(row)} → {row.example.answer.strip()}" for row in shots]
        return ["\n".join(["## Examples", "", *lines])]
    blocks = [f"Message: {_one_line(row.example.question)}\nAnswer: {_answer(row)}" for row in shots]
    return ["\n\n".join(["## Examples", *blocks])]


def _quote(row: Row) -> str:
    """A message on one line in quotes, so that nothing in it can be taken for the skill's own Markdown."""
    return f"“{_one_line(row.example.question)}”"


def _answer(row: Row) -> str:
    """The answer as it should be written: objects compact, whatever white space the file had."""
    return row.example.answer.strip() if isinstance(row.answer, str) else shown(row.answer)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _about(share: float) -> str:
    for limit, words in (
        (0.9, "nearly all"),
        (0.7, "about three in four"),
        (0.58, "about two in three"),
        (0.45, "about half the"),
    ):
        if share >= limit:
            return words
    return "about two in five"
