"""Skill folders: lenient reading, strict writing, and that writing and reading are inverse."""

from __future__ import annotations

import string
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput
from chapeta.skills.file import Skill, read_skill, skill_name, write_skill
from chapeta.types import Example, Message

PLAIN = Skill("triage", "Sorts messages. Use for support mail.", "# Triage\n\nChoose a team.")


def folder_with(tmp_path: Path, text: str | bytes, name: str = "triage") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "SKILL.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_reads_a_plain_skill_from_folder_or_file(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "---\nname: triage\ndescription: Sorts messages.\nlicense: MIT\n---\n\n# Hello\n")
    for place in (folder, folder / "SKILL.md", str(folder)):
        skill = read_skill(place)
        assert (skill.name, skill.description, skill.license, skill.body) == (
            "triage",
            "Sorts messages.",
            "MIT",
            "# Hello",
        )
        assert skill.warnings == ()


def test_unquoted_colon_unknown_field_bom_and_crlf_are_tolerated(tmp_path: Path) -> None:
    text = (
        "\ufeff---\r\nname: triage\r\ndescription: Use when: a mail arrives\r\nalways-apply: true\r\n---\r\nA\r\nB\r\n"
    )
    skill = read_skill(folder_with(tmp_path, text))
    assert skill.description == "Use when: a mail arrives"
    assert skill.body == "A\nB"
    assert any("always-apply" in warning for warning in skill.warnings)
    assert any("colon" in warning for warning in skill.warnings)


@pytest.mark.parametrize(
    ("head_name", "expected", "word"),
    [("name: other\n", "other", "differs"), ("name: Big Name\n", "Big Name", "lowercase"), ("", "triage", "no name")],
)
def test_name_problems_are_warnings(tmp_path: Path, head_name: str, expected: str, word: str) -> None:
    skill = read_skill(folder_with(tmp_path, f"---\n{head_name}description: D\n---\nBody"))
    assert skill.name == expected
    assert [word in warning for warning in skill.warnings] == [True]


def test_metadata_keeps_the_text_of_numbers_and_drops_lists(tmp_path: Path) -> None:
    head = "name: triage\ndescription: D\nmetadata:\n  version: 1.10\n  tags: [a, b]\nallowed-tools: [Read, Bash]"
    text = f"---\n{head}\n---\n"
    skill = read_skill(folder_with(tmp_path, text))
    assert skill.metadata == {"version": "1.10"}
    assert skill.allowed_tools == "Read Bash"
    assert skill.body == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"---\nname: triage\n---\nBody", "no description"),
        (b"---\nname: triage\ndescription:\n---\nBody", "no description"),
        (b"---\ndescription: [a]\n---\nBody", "no description"),
        (b"# just Markdown", "no head"),
        (b"", "no head"),
        (b"---\n---\n", "cannot be read"),
        (b"---\n- a\n- b\n---\n", "cannot be read"),
        (b"---\ndescription: [" + b"[" * 5000 + b"\n---\n", "cannot be read"),
        (b"---\n" + b"- " * 5000 + b"\n---\n", "cannot be read"),
        (b"---\ndescription: \xff\xfe\n---\n", "UTF-8"),
        (b"---\ndescription: a\n---\n" + b"x" * 1_000_000, "larger than 256 KiB"),
        (b"---\ndescription: " + b"x" * 40_000 + b"\n---\n", "longer than"),
    ],
)
def test_what_is_no_skill_is_refused_with_a_reason(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_skill(folder_with(tmp_path, content))


def test_a_missing_skill_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadInput, match="No skill at"):
            read_skill(place)


def test_an_alias_bomb_and_a_python_tag_are_harmless(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nd: !!python/object:os.system x"
    text = f"---\ndescription: D\nname: triage\n{bomb}\n---\nB"
    assert read_skill(folder_with(tmp_path, text)).description == "D"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Triage"}, "lowercase"),
        ({"name": "a--b"}, "lowercase"),
        ({"name": "-a"}, "lowercase"),
        ({"name": "a" * 65}, "1 to 64"),
        ({"name": "größe"}, "lowercase"),
        ({"name": "other"}, "folder of that name"),
        ({"description": " "}, "description"),
        ({"description": "x" * 1025}, "1025"),
        ({"compatibility": "x" * 501}, "501"),
        ({"body": "\n"}, "no instructions"),
        ({"body": "half \ud83d"}, "half a character"),
    ],
)
def test_writing_is_strict(tmp_path: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        write_skill(tmp_path / "triage", replace(PLAIN, **change))
    assert not (tmp_path / "triage").exists()


def test_examples_are_kept_beside_the_skill_and_removed_with_them(tmp_path: Path) -> None:
    asked = (Message("system", "Be brief."), Message("user", "Wo ist mein Paket?\nGruß"))
    tool = {"type": "function", "function": {"name": "track"}}
    skill = replace(PLAIN, examples=(Example(asked, '{"team":"delivery"}'), Example(asked[1:], "x", tools=(tool,))))
    write_skill(tmp_path / "triage", skill)
    assert read_skill(tmp_path / "triage") == skill
    write_skill(tmp_path / "triage", PLAIN)
    assert read_skill(tmp_path / "triage") == PLAIN
    assert not (tmp_path / "triage" / "references" / "examples.jsonl").exists()


def test_broken_examples_become_a_warning(tmp_path: Path) -> None:
    write_skill(tmp_path / "triage", PLAIN)
    (tmp_path / "triage" / "references").mkdir()
    for text in ("{", '{"messages": []}', '{"messages": 3}', "[]", '{"messages":[{"role":"user","content":"a"}]}'):
        (tmp_path / "triage" / "references" / "examples.jsonl").write_text(text)
        skill = read_skill(tmp_path / "triage")
        assert skill.examples == ()
        assert len(skill.warnings) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [("Support Triage", "support-triage"), ("Über Größe!", "uber-grosse"), ("--a__b--", "a-b"), ("客服", "skill")],
)
def test_skill_name(text: str, name: str) -> None:
    assert skill_name(text) == name


names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,3}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=200)
lines = texts.map(str.strip).filter(bool)
stored = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60).map(str.strip)
keys = st.text(string.ascii_lowercase + "-_.", min_size=1, max_size=10)


@settings(max_examples=150, deadline=None)
@given(
    names, lines, lines, stored, stored, st.dictionaries(keys, st.text("ab: #'\"\n{}[]1.0~", max_size=20), max_size=3)
)
def test_reading_what_was_written_gives_the_same_skill(
    name: str, description: str, body: str, licence: str, compatibility: str, metadata: dict[str, str]
) -> None:
    skill = Skill(name, description, body, licence, compatibility, "Read Bash(git:*)", metadata)
    with tempfile.TemporaryDirectory() as folder:
        write_skill(Path(folder) / name, skill)
        again = read_skill(Path(folder) / name)
        assert again == skill
        assert again.warnings == ()


@given(st.text(max_size=200))
def test_a_slug_is_always_a_valid_name(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        name = skill_name(text)
        write_skill(Path(folder) / name, replace(PLAIN, name=name))
