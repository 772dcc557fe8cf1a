"""The library over real folders: ours, the user's, projects'; what is off, broken, shadowed or not trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chapeta.errors import BadInput, Corrupt, Missing
from chapeta.skills import library, trust
from chapeta.skills.library import Entry


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, and an empty home of the user's beside it."""
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    return tmp_path


def put(folder: Path, description: str = "Does a thing.", body: str = "Do it.", head: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = f"---\nname: {folder.name}\ndescription: {description}\n{head}---\n{body}\n"
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    return folder


def by_name(projects: list[Path] | None = None) -> dict[str, Entry]:
    """The first entry of each name."""
    found: dict[str, Entry] = {}
    for entry in library.entries(projects):
        found.setdefault(entry.name, entry)
    return found


def test_an_empty_library() -> None:
    assert library.entries() == []
    assert library.deleted() == []
    with pytest.raises(Missing, match="no skill 'triage'"):
        library.find("triage")


def test_skills_are_found_in_all_places(data: Path) -> None:
    put(data / "data/skills/mine")
    put(data / "user/.agents/skills/shared")
    put(data / "user/.claude/skills/group/deep", head="license: MIT\n")
    put(data / "project/.claude/skills/theirs")
    trust.trust(trust.look(data / "project"))
    found = by_name()
    assert {name: entry.place for name, entry in found.items()} == {
        "deep": "user", "mine": "mine", "shared": "user", "theirs": "project",
    }  # fmt: skip
    assert all(entry.enabled and entry.use == "model" and entry.by_hand for entry in found.values())
    assert found["theirs"].project == (data / "project").resolve()
    assert library.find("deep").text == "Do it."
    assert [entry.tokens for entry in library.entries(count=len)] == [6, 6, 6, 6]


def test_a_skill_is_found_once_however_many_links_lead_to_it(data: Path) -> None:
    put(data / "user/.agents/skills/triage")
    (data / "user/.claude/skills").mkdir(parents=True)
    (data / "user/.claude/skills/triage").symlink_to(data / "user/.agents/skills/triage")
    (data / "user/.agents/skills/again").symlink_to(data / "user/.agents/skills")
    assert [(entry.name, entry.fault) for entry in library.entries()] == [("triage", "")]


def test_links_that_leave_are_listed_and_not_followed(data: Path) -> None:
    secret = put(data / "elsewhere/secret", body="SECRET")
    for place in ("data/skills", "user/.claude/skills", "project/.agents/skills"):
        (data / place).mkdir(parents=True)
        (data / place / "out").symlink_to(secret)
        put(data / place / "inside")
        (data / place / "inside/SKILL.md").unlink()
        (data / place / "inside/SKILL.md").symlink_to(secret / "SKILL.md")
        (data / place / "nowhere").symlink_to(data / "gone")
    found = library.entries([data / "project"])
    assert len(found) == 9
    for entry in found:
        assert "link that leads elsewhere" in entry.fault
        assert not entry.enabled
        with pytest.raises(BadInput, match="cannot be shown"):
            library.source(entry)


def test_a_project_whose_place_is_a_link_out_of_it_has_no_skills(data: Path) -> None:
    put(data / "elsewhere/skills/secret")
    (data / "project/.agents").mkdir(parents=True)
    (data / "project/.agents/skills").symlink_to(data / "elsewhere/skills")
    assert library.entries([data / "project"]) == []


def test_the_project_goes_before_ours_and_ours_before_the_users(data: Path) -> None:
    theirs = put(data / "project/.agents/skills/triage", body="project")
    mine = put(data / "data/skills/triage", body="mine")
    put(data / "user/.agents/skills/triage", body="user")
    assert library.find("triage", []).text == "mine"
    assert library.find("triage", [data / "project"]).text == "mine"  # not trusted yet
    trust.trust(trust.look(data / "project"))
    assert library.find("triage").text == "project"
    assert [(e.place, e.enabled, e.shadowed_by) for e in library.entries()] == [
        ("project", True, None), ("mine", False, theirs.resolve()), ("user", False, theirs.resolve()),
    ]  # fmt: skip
    library.use(library.entries()[0], "off")  # what is off takes nobody's place
    assert library.find("triage").text == "mine"
    (mine / "SKILL.md").write_text("broken")
    assert library.find("triage").text == "user"


def test_what_is_broken_is_listed_with_why(data: Path) -> None:
    skills = data / "data/skills"
    put(skills / "good")
    for name, text in {"nohead": b"# Title", "nodesc": b"---\nname: x\n---\nB", "binary": b"\xff\xfe\x00"}.items():
        put(skills / name)
        (skills / name / "SKILL.md").write_bytes(text)
    (skills / "hollow/scripts").mkdir(parents=True)
    (skills / "odd/SKILL.md").mkdir(parents=True)
    os.mkfifo(put(skills / "pipe") / "x")
    (skills / "pipe/SKILL.md").unlink()
    os.mkfifo(skills / "pipe/SKILL.md")
    (skills / ".hidden").mkdir()
    faults = {entry.name: entry.fault for entry in library.entries()}
    assert faults.pop("good") == ""
    words = {
        "nohead": "no head", "nodesc": "no description", "binary": "not UTF-8", "hollow": "holds no SKILL.md",
        "odd": "no file", "pipe": "no file",
    }  # fmt: skip
    assert set(faults) == set(words)
    assert all(words[name] in fault for name, fault in faults.items())
    with pytest.raises(Missing, match=r"cannot be read: .*no description"):
        library.find("nodesc")
    source, digest = library.source(by_name()["nodesc"])  # can be shown, to be mended
    assert source == "---\nname: x\n---\nB" and len(digest) == 64


def test_the_scan_is_bounded(data: Path) -> None:
    place = data / "user/.agents/skills"
    put(place / "a/b/c/four")
    put(place / "a/b/c/d/five")
    put(place / "near/within/deeper")
    put(place / "near")
    assert {name: entry.fault for name, entry in by_name().items()} == {"four": "", "near": ""}
    for n in range(2100):
        (place / f"many/{n:04d}").mkdir(parents=True)
    found = by_name()
    assert found["near"].enabled
    assert "2,000 folders" in found["skills"].fault


def test_settings_are_ours_and_others_folders_stay_as_they_are(data: Path) -> None:
    folder = put(data / "user/.agents/skills/shared")
    before = {path: path.read_bytes() for path in (data / "user").rglob("*") if path.is_file()}
    put(data / "data/skills/mine")
    for name, how in (("shared", "always"), ("mine", "hand")):
        library.use(by_name()[name], how)
    found = by_name()
    assert (found["shared"].use, found["shared"].always, found["shared"].by_model) == ("always", True, False)
    assert (found["mine"].use, found["mine"].always, found["mine"].by_model) == ("hand", False, False)
    assert [one.name for one in library.always_on()] == ["shared"]
    assert json.loads((data / "data/skill-settings.json").read_text()) == {str(folder): "always", "mine": "hand"}
    library.use(found["shared"], "off")
    with pytest.raises(Missing, match="turned off"):
        library.find("shared")
    library.use(by_name()["shared"], None)
    assert by_name()["shared"].use == "model"
    with pytest.raises(BadInput, match="cannot be used 'sometimes'"):
        library.use(found["mine"], "sometimes")
    assert {path: path.read_bytes() for path in (data / "user").rglob("*") if path.is_file()} == before


def test_settings_that_cannot_be_read_do_not_turn_skills_on(data: Path) -> None:
    put(data / "data/skills/mine")
    for text in ("{", "[]", '{"mine": "perhaps"}'):
        (data / "data/skill-settings.json").write_text(text)
        with pytest.raises(Corrupt):
            library.entries()


@pytest.mark.parametrize(
    ("head", "use", "by_hand"),
    [
        ("always-apply: true\n", "always", True),
        ("disable-model-invocation: true\n", "hand", True),
        ("user-invocable: false\n", "model", False),
        ("user-invocable: false\ndisable-model-invocation: yes\n", "off", False),
        ("always-apply: 'no'\nuser-invocable: [1]\n", "model", True),
    ],
)
def test_what_a_skill_says_of_its_use_is_kept_to(data: Path, head: str, use: str, by_hand: bool) -> None:
    put(data / "user/.claude/skills/shared", head=head)
    (entry,) = library.entries()
    assert (entry.use, entry.by_hand, entry.enabled) == (use, by_hand, use != "off")
    assert any("not part of the standard" in warning for warning in entry.warnings)
    library.use(entry, "hand")
    assert by_name()["shared"].use == "hand"


def test_ours_are_known_by_their_folders_and_others_by_what_they_say(data: Path) -> None:
    text = "---\nname: Other Name\ndescription: D\n---\nB"
    for place in ("data/skills/one", "user/.claude/skills/two"):
        (put(data / place) / "SKILL.md").write_text(text)
    assert set(by_name()) == {"one", "Other Name"}


def test_the_version_that_a_chat_used_is_found_again(data: Path) -> None:
    folder = put(data / "user/.claude/skills/shared", body="first")
    found = library.find("shared")
    assert library.noted(found) == found.version
    put(folder, body="second")
    assert library.find("shared").version != found.version
    assert library.version_text("shared", found.version).endswith("\nfirst\n")
    assert library.versions("shared") == []  # it was used, not saved
    assert library.deleted() == []
