"""An Agent Skills folder on disk: `SKILL.md` (YAML head, Markdown body), optionally `references/examples.jsonl`.

Reading is lenient, because skills in the wild carry unknown fields, unquoted colons and names that differ from their
folder: such things become warnings. Writing is strict to the standard (agentskills.io), so that every client takes it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

from chapeta.errors import BadInput
from chapeta.files import write_atomic
from chapeta.types import Example, Json, Message

SKILL_FILE = "SKILL.md"
EXAMPLES_FILE = "references/examples.jsonl"
MAX_FILE_BYTES = 256 * 1024
MAX_HEAD_CHARS = 32 * 1024
MAX_BRACKETS = 200
MAX_NAME_CHARS = 64
MAX_DESCRIPTION_CHARS = 1024
MAX_COMPATIBILITY_CHARS = 500

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HEAD = re.compile(r"---[ \t]*\n(.*?\n)??---[ \t]*(?:\n|\Z)(.*)", re.DOTALL)
_PLAIN_LINE = re.compile(r"([A-Za-z][\w-]*):[ \t]+([^\s\"'\[{|>&*!].*)")
# What YAML does not take as it stands, or takes for the end of a line.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_KNOWN = frozenset({"name", "description", "license", "compatibility", "metadata", "allowed-tools"})
_KEPT_TO = frozenset({"always-apply", "disable-model-invocation", "user-invocable"})
_YES, _NO = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})  # BaseLoader leaves them text


@dataclass(frozen=True, slots=True)
class Skill:
    """Instructions with a name and a description that says what they do and when to use them.

    body:     Markdown without the YAML head, no white space around it; what a model gets as system prompt.
    examples: the chosen examples as data (kept in `references/examples.jsonl`); the body shows them already.
    always, by_model, by_hand: what it says of itself beyond the standard: that it is always on, that a model or a
        user may choose it. Read and kept to, never written.
    warnings: what was odd on reading or writing, in words for the user; never stored.
    """

    name: str
    description: str
    body: str
    license: str = ""
    compatibility: str = ""
    allowed_tools: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)
    always: bool = False
    by_model: bool = True
    by_hand: bool = True


class NeedsDescription(BadInput):
    """A skill without a description, for which one can be asked. name: the skill's."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"{what} has no description.", "Add a line `description: what it does and when to use it`.")
        self.name = name


def read_skill(folder_or_file: Path | str) -> Skill:
    """The skill of a folder (or of a `SKILL.md`). A missing description, or a file that is no skill, is `BadInput`."""
    path = skill_file(Path(folder_or_file))
    skill = parse_skill(read_bounded(path), path)
    warnings = list(skill.warnings)
    return replace(skill, examples=_read_examples(path.parent / EXAMPLES_FILE, warnings), warnings=tuple(warnings))


def parse_skill(data: bytes, path: Path, description: str = "") -> Skill:
    """The skill that the bytes of a `SKILL.md` say, without its examples; raises as `read_skill` does.

    path: where they are, or would be; for messages, and for the folder's name. description: instead of its own.
    """
    split = _HEAD.match(decoded(data, path))
    if split is None:
        raise BadInput(f"{path} has no head between two lines of ---.", "Start it with name and description as YAML.")
    warnings: list[str] = []
    head = _head(split[1] or "", path, warnings)
    name = _checked_name(_text(head, "name", warnings), path, warnings)
    description = description.strip() or _text(head, "description", warnings)
    if not description:
        raise NeedsDescription(str(path), name)
    return Skill(
        name=name,
        description=description,
        body=split[2].strip(),
        license=_text(head, "license", warnings),
        compatibility=_text(head, "compatibility", warnings),
        allowed_tools=_text(head, "allowed-tools", warnings),
        metadata=_metadata(head, warnings),
        warnings=tuple(warnings),
        always=_is(head, "always-apply", _YES),
        by_model=not _is(head, "disable-model-invocation", _YES),
        by_hand=not _is(head, "user-invocable", _NO),
    )


def write_skill(folder: Path | str, skill: Skill) -> Path:
    """Write the folder, named as the skill; returns the path of `SKILL.md`. What the standard forbids is refused."""
    folder = Path(folder)
    text = skill_text(skill, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if skill.examples:
        (folder / EXAMPLES_FILE).parent.mkdir(exist_ok=True)
        write_atomic(folder / EXAMPLES_FILE, "".join(f"{_row(example)}\n" for example in skill.examples))
    else:
        (folder / EXAMPLES_FILE).unlink(missing_ok=True)
    write_atomic(folder / SKILL_FILE, text)
    return folder / SKILL_FILE


def skill_text(skill: Skill, folder: Path) -> str:
    """What `SKILL.md` says in this folder; raises BadInput for what the standard forbids."""
    for fault in _faults(folder, skill):
        raise BadInput(fault, "Change it and write the skill again.")
    optional = {"license": skill.license, "compatibility": skill.compatibility, "allowed-tools": skill.allowed_tools}
    lines = [f"name: {skill.name}", f"description: {_quoted(skill.description)}"]
    lines += [f"{key}: {_quoted(value)}" for key, value in optional.items() if value]
    if skill.metadata:
        lines += [
            "metadata:",
            *(f"  {_quoted(key)}: {_quoted(value)}" for key, value in sorted(skill.metadata.items())),
        ]
    head = "\n".join(lines)
    text = f"---\n{head}\n---\n\n{skill.body}\n"
    if len(text.encode()) > MAX_FILE_BYTES:
        raise BadInput(f"Skill {skill.name} is larger than {MAX_FILE_BYTES // 1024} KiB.", "Shorten it.")
    return text


def is_name(text: str) -> bool:
    """Whether the standard allows this name."""
    return len(text) <= MAX_NAME_CHARS and _NAME.fullmatch(text) is not None


def skill_name(text: str) -> str:
    """A name that the standard allows, made from any text: "Über Größe!" becomes "uber-grosse". Never empty."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return slug[:MAX_NAME_CHARS].strip("-") or "skill"


def _faults(folder: Path, skill: Skill) -> list[str]:
    """What the standard forbids about a skill, in words; empty if it may be written."""
    faults = []
    if not is_name(skill.name):
        faults.append(
            f"Skill name {skill.name!r} is not 1 to {MAX_NAME_CHARS} lowercase letters and digits with single hyphens."
        )
    elif folder.absolute().name != skill.name:
        faults.append(f"Skill {skill.name} must be in a folder of that name, not {folder.absolute().name!r}.")
    if not skill.description.strip() or len(skill.description) > MAX_DESCRIPTION_CHARS:
        faults.append(
            f"The description has {len(skill.description)} characters; 1 to {MAX_DESCRIPTION_CHARS} are allowed."
        )
    if len(skill.compatibility) > MAX_COMPATIBILITY_CHARS:
        faults.append(
            f"`compatibility` has {len(skill.compatibility)} characters; {MAX_COMPATIBILITY_CHARS} are allowed."
        )
    if not skill.body.strip():
        faults.append(f"Skill {skill.name} has no instructions.")
    texts = (skill.description, skill.body, skill.license, skill.compatibility, skill.allowed_tools)
    if any("\ud800" <= c <= "\udfff" for text in (*texts, *skill.metadata, *skill.metadata.values()) for c in text):
        faults.append(f"Skill {skill.name} contains half a character (a lone surrogate), which no file can hold.")
    return faults


def skill_file(path: Path) -> Path:
    """The `SKILL.md` of a folder, or the file itself; raises BadInput where there is none."""
    candidates = [path / SKILL_FILE, path / "skill.md"] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.absolute()
    raise BadInput(f"No skill at {path}.", f"Give a folder that holds a {SKILL_FILE}, or the file itself.")


def read_bounded(path: Path) -> bytes:
    """A skill's file; refuses large ones."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"{path} is larger than {MAX_FILE_BYTES // 1024} KiB.", "Move details into references/.")
    return data


def decoded(data: bytes, path: Path) -> str:
    """Text with "\\n" line ends and without a byte order mark; refuses binary data."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _head(text: str, path: Path, warnings: list[str]) -> Json:
    """The YAML head as a dict of plain values; on a syntax error, once more with the values of simple lines quoted."""
    if len(text) > MAX_HEAD_CHARS:
        raise BadInput(f"The head of {path} is longer than {MAX_HEAD_CHARS} characters.", "Shorten it.")
    if text.count("[") + text.count("{") > MAX_BRACKETS:  # PyYAML needs seconds for a thousand nested ones
        raise BadInput(f"The head of {path} cannot be read: it is nested too deeply.", "Keep to simple fields.")
    head, fault = _yaml(text)
    if head is None:
        quoted = "\n".join(_with_quotes(line) for line in text.split("\n"))
        head, _ = _yaml(quoted)
        warnings.append("The head is not valid YAML (an unquoted colon?); its values were taken as plain text.")
    if head is None:
        raise BadInput(f"The head of {path} cannot be read: {fault}.", "Put its values in quotes.")
    for key in sorted(_KEPT_TO & set(head)):
        warnings.append(
            f"Field {key!r} is not part of the standard; it is kept to here, other programs may not know it."
        )
    for key in sorted(set(head) - _KNOWN - _KEPT_TO):
        warnings.append(f"Unknown field {key!r} was ignored.")
    return head


def _yaml(text: str) -> tuple[Json | None, str]:
    """(the mapping, "") or (None, why not)."""
    import yaml

    try:
        # BaseLoader builds strings, lists and dicts only: safer than safe_load, and `version: 1.10` stays "1.10".
        loaded = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        return None, " ".join(str(error).split())[:200] or "nested too deeply"
    if not isinstance(loaded, dict):
        return None, "it is not a list of fields"
    return {str(key): value for key, value in loaded.items()}, ""


def _with_quotes(line: str) -> str:
    found = _PLAIN_LINE.fullmatch(line.rstrip())
    return f"{found[1]}: {_quoted(found[2])}" if found else line


def _quoted(value: str) -> str:
    """A value as one line of double-quoted YAML, which every reader takes alike (folded and block forms differ)."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _text(head: Json, key: str, warnings: list[str]) -> str:
    value = head.get(key, "")
    if isinstance(value, str):
        return value.strip()
    if key == "allowed-tools" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    warnings.append(f"Field {key!r} is not text and was ignored.")
    return ""


def _is(head: Json, key: str, words: frozenset[str]) -> bool:
    value = head.get(key)
    return isinstance(value, str) and value.strip().lower() in words


def _checked_name(name: str, path: Path, warnings: list[str]) -> str:
    """The name as given, or the folder's; whatever the standard says against it becomes a warning."""
    if not name:
        warnings.append(f"The skill has no name; its folder's name {path.parent.name!r} is used.")
        return path.parent.name
    if not is_name(name):
        warnings.append(f"Name {name!r} is not lowercase letters, digits and single hyphens, at most {MAX_NAME_CHARS}.")
    elif name != path.parent.name:
        warnings.append(f"Name {name!r} differs from its folder's, {path.parent.name!r}.")
    return name


def _metadata(head: Json, warnings: list[str]) -> dict[str, str]:
    given = head.get("metadata") or {}
    if not isinstance(given, dict):
        warnings.append("Field 'metadata' is not a list of fields and was ignored.")
        return {}
    kept = {str(key): value for key, value in given.items() if isinstance(value, str)}
    for key in sorted(set(map(str, given)) - set(kept)):
        warnings.append(f"Metadata {key!r} is not text and was ignored.")
    return kept


def _row(example: Example) -> str:
    """One line of OpenAI chat JSONL; line number and group belong to the source file and are left out."""
    turns: list[Json] = [{"role": m.role, "content": m.content} for m in example.messages]
    row: Json = {"messages": [*turns, {"role": "assistant", "content": example.answer}]}
    if example.tools:
        row["tools"] = list(example.tools)
    return json.dumps(row)  # ASCII only: survives any editor


def _read_examples(path: Path, warnings: list[str]) -> tuple[Example, ...]:
    if not path.is_file():
        return ()
    try:
        return tuple(_example(line) for line in decoded(read_bounded(path), path).split("\n") if line.strip())
    except (BadInput, ValueError, KeyError, TypeError, RecursionError):
        warnings.append(f"{EXAMPLES_FILE} is not chat JSONL that ends with an assistant turn; it was ignored.")
        return ()


def _example(line: str) -> Example:
    row = json.loads(line)
    turns = [Message(turn["role"], turn["content"]) for turn in row["messages"]]
    texts_only = all(isinstance(turn.content, str) for turn in turns)
    if len(turns) < 2 or turns[-1].role != "assistant" or not texts_only:
        raise ValueError("no answer")
    return Example(tuple(turns[:-1]), turns[-1].content, tools=tuple(row.get("tools", ())))
