"""Layers below the lowest adapter never change: what they make of a row is computed in the first epoch and kept.

Training then costs a pass through the adapted layers only: with adapters in the upper half, later epochs take half the
work. Kept are the hidden states of each row, of what all rows begin with only once, in a file without a name, so that
memory does not grow with the rows; those beyond a limit are computed each time. What is kept follows from the order of
the batches, so a resumed run keeps the same (where the disk's room sets the limit, the last bits may differ).
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from chapeta.tuning.batches import Batch, answer_hidden, collate, token_budget_batches
from chapeta.tuning.packing import pack, shared_beginning
from chapeta.tuning.tokenise import TokenisedRow

KEPT_BYTES = 8_000_000_000
FREE_SHARE = 0.5  # of the disk's free space, at most, is used
Ids = tuple[int, ...]


class FrozenBelow:
    """A model cut at its lowest adapted layer. `rows`: all that will be asked for; `folder`: where the file lies."""

    def __init__(
        self, model: Any, first_adapted: int, rows: Sequence[TokenisedRow], folder: Path, limit: int = KEPT_BYTES
    ) -> None:
        base = model.base_model
        self.below = cut(base, 0, first_adapted)
        self.below.norm = nn.Identity()
        self.above = cut(base, first_adapted, len(base.layers))
        self._shared = shared_beginning([row.ids[:-1] for row in rows])
        self._beginning: torch.Tensor | None = None
        self._folder = folder
        self._token_bytes: int = base.config.hidden_size * model.dtype.itemsize
        self._limit = min(limit, int(FREE_SHARE * shutil.disk_usage(folder).free))
        self._rests = Rests(folder, self._limit)
        self.kept_share = min(1.0, self._limit / max(1, self._rest_bytes(rows)))

    def anew(self) -> FrozenBelow:
        """The same with nothing kept."""
        fresh = copy.copy(self)
        fresh._beginning, fresh._rests = None, Rests(self._folder, self._limit)
        return fresh

    def answer_hidden(self, batch: Batch, rows: Sequence[TokenisedRow]) -> torch.Tensor:
        """Hidden states PxH at the predicting places of a batch made of these rows, as `batches.answer_hidden` gives."""
        packing = batch.packing
        fresh = self._compute(rows, packing.position_N.device)
        rests = [fresh[row.ids] if row.ids in fresh else self._rests.read(row.ids) for row in rows]
        assert self._beginning is not None
        more = packing.shared - self._shared  # a batch may share more than all rows do
        below_NH = torch.cat([self._beginning, rests[0][:more], *(rest[more:] for rest in rests)])
        output = self.above(
            inputs_embeds=below_NH[None], position_ids=packing.position_N[None], use_cache=False, packing=packing
        )
        return output.last_hidden_state[0][batch.predicting_P]

    def has_room(self, rows: Sequence[TokenisedRow]) -> bool:
        """Whether all of these rows can still be kept."""
        return self._rest_bytes(rows) <= self._rests.room

    def keep(self, rows: Sequence[TokenisedRow], micro_batch_tokens: int, device: torch.device) -> None:
        """Computes what training on a batch would have kept: a resumed run goes through its first epoch so."""
        for numbers in token_budget_batches([row.ids for row in rows], micro_batch_tokens):
            self._compute([rows[number] for number in numbers], device)

    def _rest_bytes(self, rows: Sequence[TokenisedRow]) -> int:
        return self._token_bytes * sum(len(ids) - 1 - self._shared for ids in {row.ids for row in rows})

    def _compute(self, rows: Sequence[TokenisedRow], device: torch.device) -> dict[Ids, torch.Tensor]:
        """Computes the rows that are not kept, keeps them where there is room, and returns them: ids → rest×H."""
        missing = list(dict.fromkeys(row.ids for row in rows if row.ids not in self._rests))
        if not missing:
            return {}
        ids_N, packing = pack([ids[:-1] for ids in missing], device)
        with torch.no_grad():
            output = self.below(
                input_ids=ids_N[None], position_ids=packing.position_N[None], use_cache=False, packing=packing
            )
        below_NH: torch.Tensor = output.last_hidden_state[0]
        if self._beginning is None:
            self._beginning = below_NH[: self._shared].clone()
        fresh = {}
        for number, ids in enumerate(missing):
            first, last = packing.starts[number], packing.place(number, len(ids) - 2)
            rest = torch.cat([below_NH[self._shared : packing.shared], below_NH[first : last + 1]])
            fresh[ids] = rest
            self._rests.keep(ids, rest)
        return fresh


class Rests:
    """Hidden states by the ids of their row, in a file that has no name and so goes with the process. `room`: in bytes."""

    def __init__(self, folder: Path, room: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open as long as the object lives
        self.room = room
        self._places: dict[Ids, tuple[int, torch.Size, torch.dtype, torch.device]] = {}
        self._end = 0

    def __contains__(self, ids: Ids) -> bool:
        return ids in self._places

    def keep(self, ids: Ids, rest: torch.Tensor) -> None:
        """Keeps it if there is room, and if the disk takes it."""
        content = memoryview(rest.cpu().contiguous().flatten().view(torch.uint8).numpy())
        if content.nbytes > self.room:
            return
        try:
            self._file.seek(self._end)
            written = self._file.write(content)
        except OSError:  # the disk is full
            written = self.room = 0
        if written == content.nbytes:
            self._places[ids] = (self._end, rest.shape, rest.dtype, rest.device)
            self._end += content.nbytes
            self.room -= content.nbytes

    def read(self, ids: Ids) -> torch.Tensor:
        """What was kept, to the bit."""
        start, shape, dtype, device = self._places[ids]
        content = torch.empty(shape.numel() * dtype.itemsize, dtype=torch.uint8)
        self._file.seek(start)
        view = memoryview(content.numpy())
        while view.nbytes:
            view = view[self._file.readinto(view) :]
        return cast(torch.Tensor, content.view(dtype).view(shape).to(device))


def forward(
    model: Any, rows: Sequence[TokenisedRow], device: torch.device, frozen: FrozenBelow | None
) -> tuple[Batch, torch.Tensor]:
    """The rows packed, and hidden states PxH at the predicting places: through the whole model, or from what is kept."""
    batch = collate(rows, device)
    return batch, frozen.answer_hidden(batch, rows) if frozen else answer_hidden(model, batch)


def cut(base_model: Any, first: int, end: int) -> Any:
    """The decoder with layers from `first` to before `end` only. It shares all weights and adapters with the whole."""
    part = copy.copy(base_model)
    part._modules = dict(base_model._modules)
    part.layers = nn.ModuleList(base_model.layers[first:end])
    part.config = copy.copy(base_model.config)
    part.config.num_hidden_layers = end - first
    if types := getattr(base_model.config, "layer_types", None):
        part.config.layer_types = types[first:end]
    return part
