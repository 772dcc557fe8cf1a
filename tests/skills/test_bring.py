"""Bringing skills in: folders, ZIP files and pasted text, as they come and as an attacker would make them."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput, Missing
from chapeta.skills import bring, library, parcel
from chapeta.skills.file import read_skill

SKILL = "---\nname: triage\ndescription: Sorts messages.\n---\n\nChoose a team.\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    return tmp_path


def zipped(path: Path, files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def in_library() -> list[str]:
    return [entry.name for entry in library.entries() if entry.place == "mine"]


def test_a_folder_with_its_files(data: Path) -> None:
    source = data / "triage"
    (source / "scripts").mkdir(parents=True)
    (source / "SKILL.md").write_text(SKILL)
    (source / "scripts/run.sh").write_text("echo")
    (source / "scripts/run.sh").chmod(0o755)
    (source / ".git").mkdir()
    (source / "secret").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    report = bring.bring_folder(source)
    (one,) = report.brought
    assert (one.name, one.is_new, one.files, one.warnings) == ("triage", True, ("scripts/run.sh",), ())
    assert dict(report.left_out) == {
        ".git": "hidden files and what programs leave behind", "secret": "a link or special file",
        "pipe": "a link or special file",
    }  # fmt: skip
    kept = data / "data/skills/triage/scripts/run.sh"
    assert kept.read_text() == "echo" and not stat.S_IMODE(kept.stat().st_mode) & 0o111
    assert library.find("triage").text == "Choose a team."
    assert [v.note for v in library.versions("triage")] == ["as it came", "imported"]
    assert bring.bring_folder(source).already == ["triage"]


def test_a_folder_of_skills_says_what_was_left_out(data: Path) -> None:
    for name, text in {"triage": SKILL, "broken": "nothing", "group/deep": SKILL.replace("triage", "deep")}.items():
        (data / "from" / name).mkdir(parents=True)
        (data / "from" / name / "SKILL.md").write_text(text)
    (data / "from/hollow").mkdir()
    report = bring.bring_folder(data / "from")
    assert sorted(one.name for one in report.brought) == ["deep", "triage"]
    assert {what for what, _ in report.left_out} == {"broken", "hollow"}


def test_a_zip_with_one_folder_or_none(data: Path) -> None:
    report = bring.bring_zip(zipped(data / "a.zip", {"triage/SKILL.md": SKILL, "triage/ref/x.md": "x", "readme": "r"}))
    assert [(one.name, one.files) for one in report.brought] == [("triage", ("ref/x.md",))]
    assert report.left_out == [("readme", "it belongs to no skill")]
    flat = zipped(
        data / "My Skill.skill", {"skill.md": "---\ndescription: D\n---\nB", "__MACOSX/._x": "", "a\\b.md": "w"}
    )
    (one,) = bring.bring_zip(flat).brought
    assert (one.name, one.files) == ("my-skill", ("a/b.md",))
    assert in_library() == ["my-skill", "triage"]


def test_names_that_lead_elsewhere_and_links_are_left_out(data: Path) -> None:
    path = zipped(
        data / "evil.zip",
        {"t/SKILL.md": SKILL, "../../out.md": "x", "/abs.md": "x", "t/../../up.md": "x", "C:\\x": "x"},
    )
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("t/link.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    before = {p for p in data.rglob("*") if "data" not in p.relative_to(data).parts}
    report = bring.bring_zip(path)
    assert [one.files for one in report.brought] == [()]
    assert len(report.left_out) == 5
    assert {p for p in data.rglob("*") if "data" not in p.relative_to(data).parts} == before
    assert not list((data / "data/skills").glob(".bringing-*"))


def test_bombs_are_bounded(data: Path) -> None:
    big = b"\0" * (17 << 20)
    files: dict[str, str | bytes] = {f"t/big{n}": big for n in range(3)}
    report = bring.bring_zip(zipped(data / "bomb.zip", {"t/SKILL.md": SKILL, **files}))
    assert [one.files for one in report.brought] == [()]
    assert len(report.left_out) == 3
    many = zipped(
        data / "many.zip", {"u/SKILL.md": SKILL.replace("triage", "u"), **{f"u/{n}.md": "x" for n in range(700)}}
    )
    report = bring.bring_zip(many)
    assert len(report.brought[0].files) == parcel.MOST_SKILL_FILES
    assert (len(report.left_out), report.more) == (200, 0)
    with pytest.raises(BadInput, match="larger than 256 KiB"):
        bring.bring_zip(zipped(data / "long.zip", {"v/SKILL.md": SKILL + "x" * 300_000}))


def test_what_is_no_zip_or_holds_no_skill(data: Path) -> None:
    (data / "no.zip").write_bytes(b"PK\x03\x04 no")
    whole = zipped(data / "whole.zip", {"t/SKILL.md": SKILL * 50})
    (data / "cut.zip").write_bytes(whole.read_bytes()[:-30])
    for name in ("no.zip", "cut.zip"):
        with pytest.raises(BadInput, match="no whole ZIP"):
            bring.bring_zip(data / name)
    with pytest.raises(BadInput, match="holds no skill"):
        bring.bring_zip(zipped(data / "none.zip", {"a.md": "x"}))
    with pytest.raises(Missing, match="does not exist"):
        bring.bring_zip(data / "absent.zip")
    with pytest.raises(BadInput, match="no folder"):
        bring.bring_folder(data / "absent")
    assert in_library() == []


def test_a_damaged_file_within_is_left_out(data: Path) -> None:
    path = zipped(data / "d.zip", {"t/SKILL.md": SKILL, "t/a.bin": b"A" * 5000}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    place = content.index(b"A" * 100)
    content[place : place + 10] = b"B" * 10
    path.write_bytes(content)
    report = bring.bring_zip(path)
    assert [one.files for one in report.brought] == [()]
    assert report.left_out == [("t/a.bin", "it is damaged")]
    assert not (data / "data/skills/triage/a.bin").exists()


def test_nothing_is_overwritten_unless_asked_and_then_it_can_be_undone(data: Path) -> None:
    library.save("triage", SKILL.replace("Choose a team.", "Mine."))
    (data / "data/skills/triage/notes.md").write_text("mine")
    path = zipped(data / "a.zip", {"triage/SKILL.md": SKILL})
    report = bring.bring_zip(path)
    assert report.brought == [] and report.left_out == [("triage", "there is a skill of this name already")]
    assert library.find("triage").text == "Mine."
    (one,) = bring.bring_zip(path, over=True).brought
    assert not one.is_new and library.find("triage").text == "Choose a team."
    assert any("Mine." in library.version_text("triage", v.number) for v in library.versions("triage"))
    library.delete("triage")
    library.undelete("triage")
    assert library.find("triage").text == "Choose a team."
    (other,) = bring.bring_zip(path, name="Other Name").brought
    assert other.name == "other-name"
    assert {p.name for p in (data / "data/skills/.deleted").iterdir()} != set()


def test_what_a_skill_says_of_its_use(data: Path) -> None:
    head = "disable-model-invocation: true\nalways-apply: true\n---"
    path = zipped(data / "a.zip", {"triage/SKILL.md": SKILL.replace("\n---\n", f"\n{head}\n", 1)})
    (one,) = bring.bring_zip(path).brought
    assert sum("It says that" in warning for warning in one.warnings) == 2
    assert library.entries()[0].use == "hand"  # only the user turns a stranger's skill on for every chat


def test_what_is_too_long_is_cut_and_the_text_as_it_came_is_kept(data: Path) -> None:
    long = "word " * 400
    path = zipped(data / "a.zip", {"triage/SKILL.md": SKILL.replace("Sorts messages.", long)})
    (one,) = bring.bring_zip(path).brought
    assert len(one.description) <= 1024 and one.description.endswith("word…")
    assert any("was cut" in warning for warning in one.warnings)
    assert long.strip() in library.version_text("triage", 1)
    assert read_skill(data / "data/skills/triage").warnings == ()


def test_pasted_text_with_a_head() -> None:
    saved = bring.bring_text(f"\ufeff```markdown\n{SKILL}```\n".replace("\n", "\r\n"))
    assert (saved.name, saved.warnings) == ("triage", ())
    assert library.find("triage").text == "Choose a team."
    assert bring.bring_text(SKILL).version.number == 1  # the same again
    with pytest.raises(BadInput, match="already"):
        bring.bring_text(SKILL + "More.")
    assert library.find("triage").text == "Choose a team."
    assert bring.bring_text(SKILL, name="Second One").name == "second-one"


def test_pasted_text_without_a_head_asks_for_a_description() -> None:
    text = "Some words.\n\n# Refund Letters\n\nBe kind."
    with pytest.raises(bring.NeedsDescription) as caught:
        bring.bring_text(text)
    assert caught.value.name == "refund-letters"
    bring.bring_text(text, description="Writes letters: about refunds.")
    found = library.find("refund-letters")
    assert (found.skill.description, found.text) == ("Writes letters: about refunds.", text)
    with pytest.raises(bring.NeedsDescription) as caught:
        bring.bring_text("---\nname: poems\n---\nWrite.")
    assert caught.value.name == "poems"
    assert bring.bring_text("---\nname: poems\n---\nWrite.", description="Poems.").name == "poems"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n\ufeff", "empty"),
        ("```\n```", "empty"),
        ("---\nname: a\ndescription: b\nno end", "no head"),
        (SKILL + "x" * 300_000, "larger than"),
        ("---\nname: a\ndescription: b\n---\n", "no instructions"),
    ],
)
def test_text_that_is_no_skill(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        bring.bring_text(text, description="D")
    assert in_library() == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=40))
def test_any_text_becomes_a_skill_or_is_refused(text: str, description: str) -> None:
    try:
        saved = bring.bring_text(text, description=description)
    except BadInput:
        return
    assert read_skill(library.entries()[0].folder).warnings == ()
    library.delete(saved.name)


names = st.text(st.sampled_from("ab./\\: SKIL.md\0é"), min_size=1, max_size=25)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(max_examples=60, deadline=None)
@given(st.lists(names, max_size=6, unique=True))
def test_whatever_a_zip_calls_its_files_nothing_lands_elsewhere(given_names: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t/SKILL.md", SKILL)
            for name in given_names:
                archive.writestr(f"t/{name}", "x")
        one = next(iter(bring.bring_zip(path, over=True).brought), None)
        home = Path(os.environ["CHAPETA_HOME"])
        if one is not None:
            inside = {p for p in (home / "skills/triage").rglob("*") if p.is_file()}
            assert len(inside) == len(one.files) + 1
        assert {p.name for p in home.iterdir()} <= {
            "skills",
            "skill-versions",
            ".skills.lock",
            ".skill-settings.json.lock",
        }
        assert {p.name for p in Path(folder).iterdir()} == {"x.zip"}
