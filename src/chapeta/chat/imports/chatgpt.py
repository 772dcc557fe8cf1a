"""ChatGPT's conversations: a `mapping` of nodes per chat, in one file, in numbered ones, or one file a chat.

What ChatGPT does for one answer (thoughts, code, its output, pictures, text) is several nodes there and one turn here.
Where such a run of nodes branches, each branch is an answer of its own, with the part before the fork repeated.
Since 2026 nodes come without `children`, messages without `metadata`, `weight` or `recipient`: nothing is required.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from chapeta.chat.imports.assets import Assets
from chapeta.chat.imports.chatgpt_content import Content, File, content
from chapeta.chat.imports.tree import Skips, Tree, clean, identity, moment, shown
from chapeta.chat.types import Attachment, Chat, Status, Turn
from chapeta.types import Json

ORIGIN = "chatgpt"
MOST_REPEATED = 4 << 20  # characters before forks, a chat
UNFINISHED: dict[str, Status] = {"in_progress": "cut", "finished_partial_completion": "stopped"}


@dataclass(slots=True)
class Run:
    """Nodes that make one turn."""

    id: str
    parent: Run | None
    role: str
    created_at: float
    contents: list[Content] = field(default_factory=list)
    model: str = ""
    status: Status = "done"
    closed: bool = False  # something hangs below it: it grows no more


def is_chat(record: Json) -> bool:
    """Whether a record is a chat of ChatGPT, judged by what it holds."""
    mapping = record.get("mapping")
    return isinstance(mapping, dict) and all(isinstance(node, dict) for node in mapping.values())


def read(record: Json, assets: Assets, skips: Skips) -> Tree | None:
    """The chat of a record; None if there is nothing to read in it."""
    mapping: dict[str, Json] = record["mapping"]
    given_id = clean(record.get("conversation_id")) or clean(record.get("id"))
    chat_id = identity(ORIGIN, given_id or "\n".join(sorted(mapping)))
    title = shown(clean(record.get("title")))
    created_at = moment(record.get("create_time")) or 0.0
    walk = _Walk(chat_id, mapping, created_at)
    walk.go()
    for why, count in walk.skipped.items():
        skips.add(title or given_id or "a chat", why, count)
    if not walk.runs:
        skips.add(title or given_id or "a chat", "a chat without a message")
        return None
    turns, attachments = [], []
    default_model = clean(record.get("default_model_slug")) or clean(record.get("model_slug"))
    for run in walk.runs:
        turns.append(_turn(chat_id, run, default_model))
        attachments += _attachments(run, assets, skips)
    tip = walk.run_of.get(clean(record.get("current_node"))) or max(walk.runs, key=lambda run: run.created_at)
    first = created_at or turns[0].created_at
    chat = Chat(
        id=chat_id, title=title, folder="", pinned=bool(record.get("is_starred") or record.get("pinned_time")), tags=(),
        created_at=first, updated_at=moment(record.get("update_time")) or max(t.created_at for t in turns),
        model="",  # the chat goes on with a model that is here, not with the name that ChatGPT had for one
        skill="", tip_id=tip.id,
    )  # fmt: skip
    return Tree(chat, tuple(turns), tuple(attachments))


@dataclass(slots=True)
class _Walk:
    """Makes turns of nodes, parents first. run_of: the turn that a node belongs to, or that it hangs below."""

    chat_id: str
    mapping: dict[str, Json]
    start: float
    runs: list[Run] = field(default_factory=list)
    run_of: dict[str, Run] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    _beginnings: dict[tuple[str, int], Run] = field(default_factory=dict)
    _repeated: int = 0

    def go(self) -> None:
        children, roots = _children(self.mapping)
        # a node with the run that the node above it is in, and how much of that run stands before it
        waiting: list[tuple[str, Run | None, int]] = [(root, None, 0) for root in reversed(roots)]
        seen = 0
        while waiting:
            node_id, run, length = waiting.pop()
            seen += 1
            message = self.mapping[node_id].get("message")
            if isinstance(message, dict):
                found = content(message)
                self.skipped.update([found.skipped] if found.skipped else [])
                if not found.empty:
                    run = self._run(node_id, message, found, run, length)
                    length = len(run.contents)
            if run is not None:
                self.run_of[node_id] = run
            waiting += [(child, run, length) for child in reversed(children.get(node_id, ()))]
        if seen < len(self.mapping):
            self.skipped["messages that hang in a ring, below nothing"] += len(self.mapping) - seen

    def _run(self, node_id: str, message: Json, found: Content, above: Run | None, length: int) -> Run:
        """The turn that a message becomes a part of: the answer above it, while nothing else follows that, or a new one."""
        before = above if found.role == "assistant" and above and above.role == "assistant" else None
        if before is not None and not before.closed and len(before.contents) == length:
            run = before
        else:
            parent = before.parent if before else self._settled(above, length)
            when = moment(message.get("create_time")) or (above.created_at if above else self.start)
            run = Run(identity(self.chat_id, node_id), parent, found.role, when)
            run.contents += self._repeat(before, length) if before else []
            self.runs.append(run)
        run.contents.append(found)
        run.model = found.model or run.model
        run.status = UNFINISHED.get(clean(message.get("status")), "done")
        return run

    def _repeat(self, run: Run, length: int) -> list[Content]:
        """The beginning of an answer once more, until so much was repeated that the export cannot be meant so."""
        if self._repeated > MOST_REPEATED:
            return []
        prefix = run.contents[:length]
        self._repeated += sum(len(part.text) + len(part.reasoning) for part in prefix) + length
        return prefix if self._repeated <= MOST_REPEATED else []

    def _settled(self, run: Run | None, length: int) -> Run | None:
        """The turn to hang something below: the run, or its beginning, where it went on without what is to hang there."""
        if run is None:
            return None
        if len(run.contents) != length:
            key = (run.id, length)
            if key not in self._beginnings:
                contents = self._repeat(run, length)
                own = identity(self.chat_id, run.id, str(length))
                self._beginnings[key] = Run(own, run.parent, run.role, run.created_at, contents, run.model)
                self.runs.append(self._beginnings[key])
            run = self._beginnings[key]
        run.closed = True
        return run


def _children(mapping: dict[str, Json]) -> tuple[dict[str, list[str]], list[str]]:
    """Each node's children, oldest first, and the nodes without a parent. Only `parent` is believed."""
    children: dict[str, list[str]] = {}
    roots: list[str] = []
    for node_id, node in mapping.items():
        parent = node.get("parent")
        if isinstance(parent, str) and parent in mapping and parent != node_id:
            children.setdefault(parent, []).append(node_id)
        else:
            roots.append(node_id)
    for siblings in (*children.values(), roots):
        siblings.sort(key=lambda node_id: _time(mapping[node_id]))
    return children, roots


def _time(node: Json) -> float:
    message = node.get("message")
    return (moment(message.get("create_time")) if isinstance(message, dict) else None) or 0.0


def _turn(chat_id: str, run: Run, default_model: str) -> Turn:
    is_answer = run.role == "assistant"
    return Turn(
        id=run.id, chat_id=chat_id, parent_id=run.parent.id if run.parent else None,
        role="assistant" if is_answer else "user", status=run.status if is_answer else "done", created_at=run.created_at,
        text="\n\n".join(part.text for part in run.contents if part.text),
        reasoning="\n\n".join(part.reasoning for part in run.contents if part.reasoning),
        model=(run.model or default_model) if is_answer else "",
    )  # fmt: skip


def _attachments(run: Run, assets: Assets, skips: Skips) -> list[Attachment]:
    """What the messages of a turn point to, each once."""
    files: dict[str, File] = {}
    for part in run.contents:
        for file in part.files:
            files.setdefault(file.pointer, file)
    found: dict[str, Attachment] = {}
    for file in files.values():
        attachment = assets.attachment(run.id, file.pointer, file.about)
        found.setdefault(attachment.id, attachment)
    for attachment in found.values():
        if attachment.data is None and not attachment.text:
            skips.add(attachment.name, "a file whose content is not in the export, or is no text and no picture")
    return list(found.values())
