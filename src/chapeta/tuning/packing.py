"""Rows packed into one sequence without padding; what all of them begin with is computed once.

Every row of a task begins with the same instructions. In a causal model those tokens do not depend on what follows, so
a batch holds them once: [beginning | rest of row 1 | rest of row 2 | …]. Each rest attends to the beginning and to itself
only, at the positions it would have alone, so losses and gradients are those of the rows one by one (a test compares).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

import torch
from torch.nn import functional

ATTENTION = "chapeta_packed"  # the name under which transformers finds `packed_attention`


@dataclass(frozen=True, slots=True)
class Packing:
    """Where rows lie in a packed sequence of N tokens, of which the first `shared` are every row's beginning.

    starts: where each row's rest begins. position_N: a token's place in its own row. padded_BL: the rests as a padded
    B×L, each entry a place in the sequence; real_R: which of the flattened B×L are no padding. ahead_LK: how far ahead of
    each of L rest tokens each of the shared + L tokens stands, at most 0 for those that it may look at. read_P: the places
    whose last hidden state is read; None where all are.
    """

    shared: int
    starts: tuple[int, ...]
    position_N: torch.Tensor
    padded_BL: torch.Tensor
    real_R: torch.Tensor
    ahead_LK: torch.Tensor
    read_P: torch.Tensor | None = None

    def place(self, row: int, position: int) -> int:
        """The place in the sequence of a row's token."""
        return position if position < self.shared else self.starts[row] + position - self.shared


def pack(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, Packing]:
    """Token ids (N) of the packed rows, none of them empty, and where they lie."""
    shared = shared_beginning(rows)
    rests = [len(row) - shared for row in rows]
    starts = tuple(accumulate(rests[:-1], initial=shared))
    ids = [*rows[0][:shared], *(token for row in rows for token in row[shared:])]
    positions = [*range(shared), *(place for row in rows for place in range(shared, len(row)))]
    column_L = torch.arange(max(rests))
    real_BL = column_L < torch.tensor(rests)[:, None]
    padded_BL = torch.where(real_BL, torch.tensor(starts)[:, None] + column_L, 0)
    place_K = torch.arange(shared + max(rests), device=device)
    packing = Packing(
        shared,
        starts,
        torch.tensor(positions, device=device),
        padded_BL.to(device),
        real_BL.flatten().nonzero()[:, 0].to(device),
        place_K - place_K[shared:, None],
    )
    return torch.tensor(ids, device=device), packing


def shared_beginning(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with. At least one token of each row is left out: every row has a rest."""
    shared = min(len(row) for row in rows) - 1
    first = rows[0]
    for row in rows[1:]:
        shared = next((place for place in range(shared) if row[place] != first[place]), shared)
    return shared


def use_packing(model: Any) -> None:
    """Lets a transformers model take a `packing` beside its ids; without one it takes rows of one length."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, packed_attention)
    model.set_attn_implementation(ATTENTION)
    ReadPlaces(model.base_model.layers[-1])


class ReadPlaces:
    """Keeps the last layer's MLP, three quarters of its work, to the places that are read; elsewhere it adds zero.

    A part that runs again going backward tells its places again, since its attention does.
    """

    def __init__(self, layer: Any) -> None:
        self._read_P: torch.Tensor | None = None
        self._size = torch.Size()
        layer.self_attn.register_forward_pre_hook(self._note, with_kwargs=True)
        layer.mlp.register_forward_pre_hook(self._pick)
        layer.mlp.register_forward_hook(self._put)

    def _note(self, _attention: Any, _inputs: Any, named: dict[str, Any]) -> None:
        packing = named.get("packing")
        self._read_P = packing.read_P if packing else None

    def _pick(self, _mlp: Any, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        self._size = inputs[0].shape
        return inputs if self._read_P is None else (inputs[0].index_select(1, self._read_P),)

    def _put(self, _mlp: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return output if self._read_P is None else output.new_zeros(self._size).index_copy(1, self._read_P, output)


def packed_attention(
    module: Any,  # noqa: ARG001 - the signature that transformers calls
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001 - always None: transformers makes none for attention of others
    *,
    scaling: float,
    packing: Packing | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of a packed sequence: query 1×heads×N×D, key and value 1×(fewer heads)×N×D; returns 1×N×heads×D."""
    if packing is None:
        allowed = _causal(query.shape[2], sliding_window, softcap, query.device)
        q, k, v = (x.transpose(1, 2) for x in (query, key, value))
        return _attend(q, k, v, allowed, scaling, softcap), None
    q_NHD, k_NHD, v_NHD = (x[0].transpose(0, 1) for x in (query, key, value))
    shared, rows = packing.shared, packing.padded_BL
    size = (len(rows), -1, -1, -1)
    places = rows.flatten()

    def rest(x_NHD: torch.Tensor) -> torch.Tensor:
        return x_NHD.index_select(0, places).unflatten(0, rows.shape)

    def whole(x_NHD: torch.Tensor) -> torch.Tensor:
        return torch.cat([x_NHD[:shared].expand(size), rest(x_NHD)], dim=1)

    allowed_LK = packing.ahead_LK <= 0
    if sliding_window is not None:
        allowed_LK &= packing.ahead_LK > -sliding_window
    out_BLHD = _attend(rest(q_NHD), whole(k_NHD), whole(v_NHD), allowed_LK, scaling, softcap)
    out_NHD = out_BLHD.flatten(0, 1).index_select(0, packing.real_R)
    if shared:
        q_1SHD, k_1SHD, v_1SHD = (x_NHD[None, :shared] for x_NHD in (q_NHD, k_NHD, v_NHD))
        allowed_SS = _causal(shared, sliding_window, softcap, query.device)
        beginning_1SHD = _attend(q_1SHD, k_1SHD, v_1SHD, allowed_SS, scaling, softcap)
        out_NHD = torch.cat([beginning_1SHD[0], out_NHD])
    return out_NHD[None], None


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask_LK: torch.Tensor | None, scale: float, softcap: float | None
) -> torch.Tensor:
    """Batch×tokens×heads×D in and out. Without a mask it is causal, which keeps no L×K matrix of a long row."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if q.device.type != "cpu" or softcap is not None:  # elsewhere grouped heads and a mask exclude the fast kernels
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    if softcap is None:
        out = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask_LK, is_causal=mask_LK is None, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
        )
        return out.transpose(1, 2)
    assert mask_LK is not None
    scores = torch.tanh(q @ k.transpose(-1, -2) * scale / softcap) * softcap
    weights = scores.masked_fill(~mask_LK, -torch.inf).softmax(-1, dtype=torch.float32).to(q.dtype)
    return cast(torch.Tensor, (weights @ v).transpose(1, 2))


def _causal(length: int, window: int | None, softcap: float | None, device: torch.device) -> torch.Tensor | None:
    """Which tokens of a row each may look at, L×L; None where plain causal attention does."""
    if softcap is None and (window is None or length <= window):
        return None
    place_L = torch.arange(length, device=device)
    ahead_LL = place_L - place_L[:, None]
    return (ahead_LL <= 0) & (ahead_LL > -(window or length))
