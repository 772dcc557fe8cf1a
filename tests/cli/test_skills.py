"""`chapeta skills` as a user types it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from command import chapeta

from chapeta.cli.main import VERBS

pytestmark = pytest.mark.skipif("skills" not in VERBS, reason="the verb is not in the table yet")
SKILL = "---\nname: triage\ndescription: Sorts messages.\n---\n\nChoose a team.\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    return tmp_path


def told(*words: str, stdin: str | None = None) -> str:
    done = chapeta("skills", *words, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_skill_from_its_import_to_its_end(data: Path) -> None:
    assert told("list").startswith("no skills yet")
    with zipfile.ZipFile(data / "a.zip", "w") as archive:
        archive.writestr("triage/SKILL.md", SKILL)
        archive.writestr("triage/run.sh", "echo")
        archive.writestr("../evil", "x")
    assert told("import", str(data / "a.zip")).splitlines() == [
        "added: triage, 1 files", "left out: ../evil: its name leads elsewhere, or not every system takes it",
    ]  # fmt: skip
    assert told("list").split() == ["triage", "mine", "model", "Sorts", "messages."]
    assert "Choose a team." in told("show", "triage")
    changed = told("save", "triage", "-", stdin=SKILL.replace("a team", "one\x1b[31m"))
    assert changed == "triage: version 3\n"
    rows = json.loads(told("versions", "triage", "--json"))["versions"]
    assert [(row["version"], row["note"]) for row in rows] == [(1, "as it came"), (2, "imported"), (3, "")]
    lines = told("diff", "triage", "2", "3").splitlines()
    assert [line for line in lines if line[0] != " "] == ["- Choose a team.", "+ Choose one [31m."]
    assert told("restore", "triage", "2") == "triage: version 4 says what version 2 did\n"
    told("use", "triage", "always")
    assert json.loads(told("list", "--json"))["skills"][0]["use"] == "always"
    told("use", "triage", "own")
    told("delete", "triage")
    assert "triage" in told("list", "--deleted")
    told("undelete", "triage")
    assert (data / "data/skills/triage/run.sh").exists()


def test_pasted_text_and_a_folder(data: Path) -> None:
    done = chapeta("skills", "import", "-", stdin="# Poems\nRhyme.")
    assert done.returncode == 2 and "no description" in done.stderr
    assert told("import", "-", "--description", "Writes poems.", stdin="# Poems\nRhyme.") == "added: poems\n"
    (data / "from/other").mkdir(parents=True)
    (data / "from/other/SKILL.md").write_text(SKILL)
    assert "added: triage" in told("import", str(data / "from"))
    assert told("import", str(data / "from")) == "here already: triage\n"


def test_a_project_is_trusted_after_a_look(data: Path) -> None:
    folder = data / "project/.agents/skills/triage"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(SKILL)
    assert "asks" in told("list", "--project", str(data / "project"))
    done = chapeta("skills", "trust", str(data / "project"))
    assert done.returncode == 2 and "Nobody was there" in done.stderr and "new       triage" in done.stdout
    told("trust", str(data / "project"), "--yes")
    assert "project" in told("list")
    told("distrust", str(data / "project"))
    assert told("list").startswith("no skills yet")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["list", "x"], 2, "takes 0 words"),
        (["show", "gone"], 4, "no skill 'gone'"),
        (["save", "../x", "-"], 2, "cannot be a skill's name"),
        (["save", "x", "nowhere.md"], 2, "is no file"),
        (["use", "gone", "off"], 4, "no skill 'gone'"),
        (["import", "nowhere"], 2, "is no file"),
        (["import", "x", "--again"], 2, "`skills import` has no --again"),
        (["restore", "gone", "1"], 4, "no version 1"),
        (["delete", "gone"], 4, "no skill 'gone'"),
        (["undelete", "gone"], 4, "was deleted"),
        (["diff", "gone", "a", "b"], 4, "no version"),
        (["trust", "nowhere"], 2, "is no folder"),
        (["distrust", "nowhere"], 4, "was not trusted"),
    ],
)
def test_wrong_words(words: list[str], code: int, said: str) -> None:
    done = chapeta("skills", *words, stdin="---\ndescription: D\n---\nB")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
