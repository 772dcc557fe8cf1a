"""Saving, restoring and deleting our skills, in several windows at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput, Missing
from chapeta.skills import library, store
from chapeta.skills.file import read_skill


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    return tmp_path


def text(body: str, name: str = "triage", head: str = "") -> str:
    return f"---\nname: {name}\ndescription: Sorts messages.\n{head}---\n{body}\n"


def test_each_save_is_a_version_and_the_same_text_is_kept_once(data: Path) -> None:
    first = library.save("triage", text("one"))
    second = library.save("triage", text("two"))
    assert library.save("triage", text("two")).version == second.version
    third = library.save("triage", text("one"))
    assert [v.number for v in (first.version, second.version, third.version)] == [1, 2, 3]
    assert first.sha256 == third.sha256
    assert [v.sha256 for v in library.versions("triage")] == [first.sha256, second.sha256, first.sha256]
    assert len(list((data / "skill-versions/triage").glob("*.md"))) == 2
    assert library.find("triage").text == "one"
    assert library.version_text("triage", 2) == library.version_text("triage", second.sha256[:16])
    assert [line.text for line in library.diff("triage", 1, 2) if line.kind == "added"] == ["two"]


def test_what_is_written_is_strict(data: Path) -> None:
    saved = library.save("triage", "---\ndescription: Use when: a mail\nmodel: big\n---\nBody", based_on="")
    assert any("'model'" in warning for warning in saved.warnings)
    skill = read_skill(data / "skills/triage")
    assert (skill.name, skill.description, skill.warnings) == ("triage", "Use when: a mail", ())


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("../evil", text("x", "evil"), "cannot be a skill's name"),
        ("a/b", text("x"), "cannot be a skill's name"),
        ("", text("x"), "cannot be a skill's name"),
        ("x" * 65, text("x"), "cannot be a skill's name"),
        ("triage", "no head", "no head"),
        ("triage", "---\nname: triage\n---\nB", "no description"),
        ("triage", text(""), "no instructions"),
        ("triage", text("x", "other"), "names the skill 'other'"),
        ("triage", text("half \ud83d"), "half a character"),
        ("triage", text("x" * 300_000), "larger than"),
        ("triage", f"---\ndescription: {'[' * 150}\ncompatibility: {'[' * 60}\n---\nB", "nested too deeply"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_changes(data: Path, name: str, given: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        library.save(name, given)
    assert not (data / "skills/triage").exists()
    assert library.versions("triage") == []


def test_the_second_window_learns_of_the_first_and_nothing_is_lost() -> None:
    base = library.save("triage", text("base"), based_on="")
    first = library.save("triage", text("first"), based_on=base.sha256)
    with pytest.raises(library.ChangedMeanwhile, match="changed in another window") as caught:
        library.save("triage", text("second"), based_on=base.sha256)
    assert caught.value.sha256 == first.sha256
    assert library.find("triage").text == "first"
    assert library.version_text("triage", caught.value.kept.number).endswith("\nsecond\n")
    library.save("triage", text("second"), based_on=caught.value.sha256)
    assert library.find("triage").text == "second"
    library.save("triage", text("second"), based_on=base.sha256)  # the same text is no conflict


def test_creating_what_is_there_and_saving_what_was_deleted() -> None:
    saved = library.save("triage", text("one"), based_on="")
    with pytest.raises(library.ChangedMeanwhile):
        library.save("triage", text("two"), based_on="")
    library.delete("triage")
    with pytest.raises(library.ChangedMeanwhile, match="deleted in another window") as caught:
        library.save("triage", text("three"), based_on=saved.sha256)
    assert caught.value.sha256 == ""
    library.undelete("triage")
    assert library.find("triage").text == "one"


def test_many_windows_at_once_lose_nothing() -> None:
    library.save("triage", text("base"))
    taken, refused = [], []

    def work(window: int) -> None:
        for n in range(4):
            based_on = library.source(library.entries()[0])[1]
            mine = text(f"window {window} save {n}")
            try:
                library.save("triage", mine, based_on=based_on)
                taken.append(mine)
            except library.ChangedMeanwhile:
                refused.append(mine)

    threads = [threading.Thread(target=work, args=(window,)) for window in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) + len(refused) == 16
    kept = {library.version_text("triage", version.number) for version in library.versions("triage")}
    bodies = {one.rpartition("---\n")[2].strip() for one in kept}
    assert bodies == {"base"} | {f"window {window} save {n}" for window in range(4) for n in range(4)}


def test_what_another_program_wrote_is_kept_before_it_is_written_over(data: Path) -> None:
    library.save("triage", text("ours"))
    (data / "skills/triage/SKILL.md").write_text(text("by hand"))
    library.save("triage", text("ours again"))
    assert [(v.number, v.note) for v in library.versions("triage")] == [
        (1, ""),
        (2, "written by another program"),
        (3, ""),
    ]
    assert library.version_text("triage", 2) == text("by hand")


def test_files_beside_the_skill_stay(data: Path) -> None:
    library.save("triage", text("one"))
    (data / "skills/triage/references").mkdir()
    (data / "skills/triage/references/examples.jsonl").write_text("{}")
    (data / "skills/triage/SKILL.md").rename(data / "skills/triage/skill.md")
    library.save("triage", text("two"), based_on=library.entries()[0].sha256)
    assert sorted(p.name for p in (data / "skills/triage").iterdir()) == ["SKILL.md", "references"]
    assert (data / "skills/triage/references/examples.jsonl").read_text() == "{}"


def test_restore_is_a_new_version() -> None:
    library.save("triage", text("one"))
    library.save("triage", text("two"))
    saved = library.restore("triage", 1)
    assert (saved.version.number, saved.version.note) == (3, "version 1 again")
    assert library.find("triage").text == "one"
    with pytest.raises(Missing, match="no version 9"):
        library.restore("triage", 9)


def test_deleting_can_be_undone_scripts_and_all(data: Path) -> None:
    library.save("triage", text("one"))
    (data / "skills/triage/run.sh").write_text("echo")
    library.use(library.entries()[0], "hand")
    library.delete("triage")
    assert library.entries() == []
    (gone,) = library.deleted()
    assert gone.name == "triage" and gone.deleted_s is not None and abs(gone.deleted_s - time.time()) < 60
    with pytest.raises(Missing):
        library.delete("triage")
    library.undelete("triage")
    assert (data / "skills/triage/run.sh").read_text() == "echo"
    assert library.entries()[0].use == "hand"
    assert library.deleted() == []
    with pytest.raises(BadInput, match="already"):
        library.undelete("triage")
    with pytest.raises(Missing, match="was deleted"):
        library.undelete("never")


def test_after_a_month_the_versions_are_left(data: Path) -> None:
    library.save("triage", text("one"))
    library.save("triage", text("two"))
    library.delete("triage")
    (put_away,) = (data / "skills/.deleted").iterdir()
    put_away.rename(put_away.with_name(f"triage.{round((time.time() - 31 * 86_400) * 1000)}"))
    library.save("other", text("x", "other"))
    library.delete("other")
    assert [(one.name, one.deleted_s is None) for one in library.deleted()] == [("other", False), ("triage", True)]
    library.undelete("triage")
    assert library.find("triage").text == "two"


def test_a_new_skill_of_an_old_name_does_not_inherit_its_settings() -> None:
    library.save("triage", text("one"))
    library.use(library.entries()[0], "off")
    library.delete("triage")
    library.save("triage", text("new"))
    assert library.entries()[0].use == "model"


def test_fields_beyond_the_standard_become_settings() -> None:
    library.save("triage", text("one", head="always-apply: true\n"))
    assert library.entries()[0].use == "always"
    library.save("other", text("one", "other", head="disable-model-invocation: true\n"))
    assert library.entries()[0].use == "hand"


def test_a_link_in_the_place_of_a_skill_is_not_written_through(data: Path) -> None:
    target = data / "target"
    target.mkdir()
    (data / "skills").mkdir()
    (data / "skills/triage").symlink_to(target)
    with pytest.raises(BadInput, match="link"):
        library.save("triage", text("x"))
    (data / "skills/triage").unlink()
    (data / "skills/triage").mkdir()
    (target / "file").write_text("theirs")
    (data / "skills/triage/SKILL.md").symlink_to(target / "file")
    with pytest.raises(BadInput, match="link"):
        library.save("triage", text("x"))
    assert (target / "file").read_text() == "theirs"


lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=80)


@settings(max_examples=40, deadline=None)
@given(lines, lines)
def test_what_is_saved_is_what_is_read(description: str, body: str) -> None:
    import json

    from hypothesis import assume

    assume(description.strip() and body.strip())
    head = json.dumps(description)
    try:
        library.save("any", f"---\ndescription: {head}\n---\n{body}\n")
    except BadInput:
        return  # what would not be read again alike is refused; see the strict writer's own tests
    found = library.find("any")
    assert found.text == body.strip()
    assert found.skill.description == description.strip()
    saved_again = library.save("any", library.source(found.entry)[0])
    assert saved_again.sha256 == found.entry.sha256
    store.delete("any")


def test_a_text_that_was_not_taken_and_is_saved_after_all_is_a_version_of_its_own() -> None:
    first = library.save("triage", text("one"))
    theirs = library.save("triage", text("theirs"))
    with pytest.raises(library.ChangedMeanwhile) as caught:
        library.save("triage", text("mine"), based_on=first.sha256)
    assert caught.value.sha256 == theirs.sha256
    mine = library.save("triage", text("mine"), based_on=caught.value.sha256)
    assert (mine.version.number, mine.version.note) == (4, "")
    library.delete("triage")
    library.undelete("triage")
    assert library.find("triage").text == "mine"
