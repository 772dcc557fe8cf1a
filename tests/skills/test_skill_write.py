"""Skills written by rule and with a model, on this project's own example files and on made-up tasks."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput, ModelFailed
from chapeta.skills.file import Skill, read_skill, write_skill
from chapeta.skills.write import write_by_rule, write_with_model
from chapeta.types import Example, Labels, Message, Schema, Task

EXAMPLES = Path(__file__).parents[2] / "examples"
TEAMS = ("delivery", "returns", "billing", "account", "technical", "sales")


def count_tokens(text: str) -> int:
    return len(re.findall(r"\w{1,5}|[^\w\s]|\n+", text))


def asked(question: str, answer: str) -> Example:
    return Example((Message("user", question),), answer)


@cache
def triage() -> tuple[Task, tuple[Example, ...]]:
    rows = [
        json.loads(line)["messages"] for line in (EXAMPLES / "support-triage.jsonl").read_text("utf-8").splitlines()
    ]
    values = {"team": TEAMS, "urgency": ("high", "normal", "low"), "language": ("en", "de", "fr", "es")}
    properties = {key: {"type": "string", "enum": list(allowed)} for key, allowed in values.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return Task("extract", Schema(schema), 32), tuple(asked(row[0]["content"], row[1]["content"]) for row in rows)


@cache
def feedback() -> tuple[Task, tuple[Example, ...]]:
    with (EXAMPLES / "library-feedback.csv").open(encoding="utf-8", newline="") as file:
        train = tuple(asked(row["text"], row["label"]) for row in csv.DictReader(file))
    return Task("classify", Labels(("complaint", "praise", "question", "suggestion")), 8), train


def written(task: Task, train: tuple[Example, ...], limit: int = 600) -> Skill:
    return write_by_rule(task, train, "Some task", count_tokens, limit)


def test_triage_skill_says_what_a_colleague_would_say() -> None:
    body = written(*triage(), limit=900).body
    assert "keys team, urgency, language, in this order" in body
    assert re.search(r'- billing: .*"invoice"', body)
    assert re.search(r'- delivery: .*"courier"', body)
    assert re.search(r'- high: .*"tomorrow"', body)
    assert "language: the language the message is mainly written in: en (English), de (German)" in body
    assert "choose normal: about half the messages are" in body
    assert '"team":"' in body.split("## Examples")[1]
    assert "## Easily confused" in body


def test_feedback_skill_has_cues_contrasts_and_an_example_of_every_label() -> None:
    task, train = feedback()
    skill = written(task, train)
    assert "- question: a question mark" in skill.body
    shown = dict(re.findall(r"^- “(.*)” → (\w+)$", skill.body, re.MULTILINE))
    assert set(shown.values()) == {"complaint", "praise", "question", "suggestion"}
    truth = {example.question: example.answer for example in train}
    assert all(truth[question] == label for question, label in shown.items())
    contrasts = re.findall(r"“([^”]*)” is (\w+), but “([^”]*)” is (\w+)\.", skill.body)
    assert contrasts
    for first, label, second, other in contrasts:
        assert (truth[first], truth[second]) == (label, other)
        assert label != other
    assert {example.question for example in skill.examples} == set(shown)


@pytest.mark.parametrize("limit", [60, 120, 250, 400, 600, 1500])
@pytest.mark.parametrize("data", [triage, feedback])
def test_limits_are_kept_used_and_every_value_stays(data, limit: int) -> None:  # type: ignore[no-untyped-def]
    task, train = data()
    body = written(task, train, limit).body
    assert count_tokens(body) <= limit
    if limit <= 600:
        assert count_tokens(body) > 0.5 * limit
    if limit >= 120:
        values = task.constraint.values if isinstance(task.constraint, Labels) else [*TEAMS, "high", "low", "fr"]
        assert all(value in body for value in values)


def test_the_text_depends_on_nothing_but_its_input() -> None:
    task, train = feedback()
    assert written(task, train) == written(task, train)


def test_with_a_higher_limit_more_is_said() -> None:
    sizes = [len(written(*triage(), limit).examples) for limit in (200, 400, 800, 1500)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_what_cannot_be_written_is_refused() -> None:
    task, train = feedback()
    with pytest.raises(BadInput, match="no training examples"):
        write_by_rule(task, [], "x", count_tokens)
    with pytest.raises(BadInput, match="the limit is 5"):
        write_by_rule(task, train, "x", count_tokens, 5)


def test_free_text_gets_style_and_examples() -> None:
    train = tuple(
        asked(f"My {item} is {state}.", f"Dear customer,\n\nsorry that your {item} is {state}.\n\nBest wishes\nAnn")
        for item in ("tent", "lamp", "stove", "chair")
        for state in ("late", "broken", "wet")
    )
    body = written(Task("generate", None, 60), train).body
    assert "Nearly all answers begin with" in body
    assert 'Nearly all answers end with "Best wishes Ann".' in body
    assert 2 <= body.count("Message: ") <= 4


def test_open_fields_are_described_from_their_values() -> None:
    train = tuple(
        asked(f"Order AB-{100 + i} of {i % 3 + 1} lamps{', gift' if i % 2 else ''}.", json.dumps(answer))
        for i in range(20)
        for answer in [{"order": f"AB-{100 + i}", "count": i % 3 + 1, "note": "gift" if i % 2 else None}]
    )
    properties = {"order": {"type": "string"}, "count": {"type": "integer"}, "note": {"type": ["string", "null"]}}
    body = written(Task("extract", Schema({"type": "object", "properties": properties}), 40), train).body
    assert "- order: copied from the message as it stands there; in the form AA-999" in body
    assert "- count: a whole number, 1 to 3 so far." in body
    assert "null if the message does not say" in body
    assert '"note":null' in body  # shown both ways
    assert '"note":"gift"' in body


def test_messages_cannot_break_out_of_their_line() -> None:
    task = Task("classify", Labels(("a", "b")), 4)
    train = tuple(asked(f"hi\n\n# Ignore this {i}\n---\n- x", "ab"[i % 2]) for i in range(6))
    lines = written(task, train).body.split("\n")
    assert [line for line in lines if line.startswith("#")][1:] == ["## Examples"]
    assert "---" not in lines


def test_one_row_one_label_and_broken_answers_are_no_trouble() -> None:
    assert "only" in written(Task("classify", Labels(("only",)), 4), (asked("hello", "only"),)).body
    task, _ = triage()
    assert "urgency" in written(task, (asked("hello", "{broken"), asked("", '{"team": 3}'), asked("x", "[]"))).body


values = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(values, min_size=1, max_size=12, unique=True),
    st.lists(st.tuples(st.text(max_size=80), st.integers(0, 11)), min_size=1, max_size=20),
    st.text(max_size=70),
    st.integers(40, 900),
)
def test_any_labels_any_messages(labels: list[str], rows: list[tuple[str, int]], name: str, limit: int) -> None:
    train = [asked(question.encode("utf-8", "replace").decode(), labels[i % len(labels)]) for question, i in rows]
    name = name.encode("utf-8", "replace").decode()
    skill = write_by_rule(Task("classify", Labels(tuple(labels)), 8), train, name, len, 40 * limit)
    assert len(skill.body) <= 40 * limit
    assert all(label in skill.body or json.dumps(label, ensure_ascii=False) in skill.body for label in labels)
    with tempfile.TemporaryDirectory() as folder:
        write_skill(Path(folder) / skill.name, skill)
        again = read_skill(Path(folder) / skill.name)
    assert again == replace(skill, body=again.body)
    assert again.body == skill.body.replace("\r\n", "\n").replace("\r", "\n").strip()


GOOD = "# Feedback\n\nGive one label: complaint, praise, question or suggestion."


def test_a_model_may_write_the_skill_and_sees_the_examples_as_data() -> None:
    task, train = feedback()
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return f"```markdown\n---\nname: x\n---\n{GOOD}\n```"

    skill = write_with_model(task, train, "library-feedback", ask, count_tokens, 300)
    assert skill.body == GOOD
    assert skill.warnings == ()
    assert skill.metadata["written-by"] == "chapeta, with a model"
    mark = re.search(r"<(examples-[0-9a-f]{12})>\n(.*)\n</\1>", prompts[0], re.DOTALL)
    assert mark
    truth = {example.question: example.answer for example in train}
    for line in mark[2].split("\n"):
        row = json.loads(line)
        assert truth[row["message"]] == row["answer"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("word " * 900, "300 are allowed"),
        ("Choose complaint, praise or question.", "does not name suggestion"),
    ],
)
def test_a_useless_text_is_asked_for_once_more_and_then_replaced_by_the_rule(text: str, said: str) -> None:
    task, train = feedback()
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return text

    skill = write_with_model(task, train, "library-feedback", ask, count_tokens, 300)
    assert skill == write_by_rule(task, train, "library-feedback", count_tokens, 300)
    assert said in skill.warnings[0]
    assert len(prompts) == 2
    assert said in prompts[1]


def test_a_second_text_is_taken_if_the_first_was_faulty() -> None:
    answers = iter(["", GOOD])
    skill = write_with_model(*feedback(), "f", lambda _: next(answers), count_tokens)
    assert skill.body == GOOD


def test_a_model_that_does_not_answer_is_no_obstacle() -> None:
    def ask(_: str) -> str:
        raise ModelFailed("Provider x did not answer.")

    skill = write_with_model(*feedback(), "f", ask, count_tokens)
    assert skill.body == written(*feedback()).body.replace("# Some task", "# F")
    assert "Provider x did not answer" in skill.warnings[0]
