"""Who trains: ours and its peers, each with its settings. A new one is one entry here, and a script in `trainers/`.

A peer's environment holds its packages alone. `own` is what its script adds to its library's defaults.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
RATE = 5e-4  # what our recipe chooses for the embedded model; the peers' tuned runs take it too
TORCH = "torch==2.13.0"
HUGGING_FACE = ("datasets==5.2.0", "accelerate==1.15.0", "transformers==5.23.0", "peft==0.21.2")


@dataclass(frozen=True, slots=True)
class Library:
    """What one environment holds.

    without_dependencies: packages installed after the others, as they are. removed: packages that came along, taken out
    again: built for a GPU, they do not load beside PyTorch's build for processors, and importing them ends the program.
    """

    packages: tuple[str, ...]
    without_dependencies: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to train."""

    name: str
    library: str
    script: str
    setting: str
    own: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.library == "ours"


LIBRARIES = {
    "trl": Library((TORCH, "trl==1.16.0", *HUGGING_FACE)),
    # Its certifi>=2026.10.19 is not to be had everywhere, and xformers, triton and bitsandbytes are for a GPU.
    "unsloth": Library(
        (TORCH, "torchao", "trl==1.15.0", "transformers==5.17.0", "peft==0.21.2", "datasets==4.8.5",
         "accelerate==1.15.0", "tyro", "cut_cross_entropy", "einops", "sentencepiece", "psutil", "wheel", "protobuf",
         "hf_transfer", "pillow", "msgspec", "requests", "rich", "structlog", "nest-asyncio", "json5"),
        ("unsloth==2026.10.9", "unsloth_zoo==2026.10.9"),
    ),
    "llamafactory": Library((TORCH, "llamafactory==0.9.5"), removed=("torchvision", "torchaudio")),
    "mlx": Library(("mlx-lm==0.32.2", "mlx[cpu]==0.32.4")),
}  # fmt: skip

# The rate, its rise and its fall are those of our recipe; rows and epochs are everybody's.
TUNED = {"learning_rate": RATE, "warmup_steps": 0.05, "per_device_train_batch_size": 16}
PLAIN = {"per_device_train_batch_size": 16}  # and else TRL's defaults: rate 2e-5, layers computed again going backward
FP32 = {"dtype": "float32", "bf16": False}
KEPT = {"gradient_checkpointing": False}
FLAT = {"padding_free": True, "max_length": None}

CONTESTANTS = (
    Contestant("chapeta", "ours", "ours.py", "its own recipe"),
    Contestant("chapeta-upper", "ours", "ours.py", "adapters in the upper 10 layers", {"adapted_layers": 10}),
    Contestant(
        "chapeta-limited", "ours", "ours.py", "its recipe under a time limit: the upper 10 layers, a higher rate, LoRA+",
        {"adapted_layers": 10, "lora_plus_ratio": 4.0, "learning_rate": 1.3e-3},
    ),
    Contestant("trl-bf16", "trl", "trl_sft.py", "defaults, batch 16", PLAIN | {"dtype": "bfloat16", "bf16": True}),
    Contestant("trl-fp32", "trl", "trl_sft.py", "defaults, batch 16, fp32", PLAIN | FP32),
    Contestant("trl-fp32-rate", "trl", "trl_sft.py", f"the same, rate {RATE:g}", TUNED | FP32),
    Contestant(
        "trl-grouped", "trl", "trl_sft.py", f"fp32, rate {RATE:g}, rows grouped by length, nothing computed twice",
        TUNED | FP32 | KEPT | {"train_sampling_strategy": "group_by_length"},
    ),
    Contestant(
        "trl-flat", "trl", "trl_sft.py", f"fp32, rate {RATE:g}, padding-free, nothing computed twice",
        TUNED | FP32 | KEPT | FLAT,
    ),
    Contestant("unsloth", "unsloth", "trl_sft.py", f"defaults, batch 16, fp32, rate {RATE:g}", TUNED | FP32),
    Contestant(
        "unsloth-fast", "unsloth", "trl_sft.py", f"fp32, rate {RATE:g}, grouped by length, nothing computed twice",
        TUNED | FP32 | KEPT | {"train_sampling_strategy": "group_by_length"},
    ),
    Contestant(
        "unsloth-upper", "unsloth", "trl_sft.py", "the same, adapters in the upper 10 layers",
        TUNED | FP32 | KEPT | {"train_sampling_strategy": "group_by_length", "adapted_layers": 10},
    ),
    Contestant(
        "unsloth-limited", "unsloth", "trl_sft.py", "the same, and of our recipe under a time limit: rate, batches, LoRA+",
        FP32 | KEPT | {"train_sampling_strategy": "group_by_length", "adapted_layers": 10, "lora_plus_ratio": 4.0,
                       "learning_rate": 1.3e-3, "warmup_steps": 0.05, "per_device_train_batch_size": 8},
    ),
    Contestant(
        "unsloth-compiled", "unsloth", "trl_sft.py", "unsloth-fast, its layers compiled",
        TUNED | FP32 | KEPT | {"train_sampling_strategy": "group_by_length"}, {"UNSLOTH_CPU_COMPILE": "1"},
    ),
    Contestant("llamafactory", "llamafactory", "llamafactory_sft.py", f"batch 16, fp32, rate {RATE:g}", TUNED),
    Contestant(
        "mlx", "mlx", "mlx_lora.py", f"batch 16, fp32, rate {RATE:g}, falling in a line over two epochs",
        {"dtype": "float32", "batch_size": 16, "learning_rate": RATE, "decay_steps": 308},
    ),
)  # fmt: skip


def install(library: str, work: Path) -> Path:
    """The interpreter that runs a library's script; its environment is made the first time. Raises RuntimeError."""
    if library == "ours":
        return Path(sys.executable)
    wanted, folder = LIBRARIES[library], work / f"venv-{library}"
    python, done = folder / "bin" / "python", folder / "done"
    told = repr((wanted, sys.version))
    if not done.exists() or done.read_text() != told:
        shutil.rmtree(folder, ignore_errors=True)
        ran([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
        ran([*pip, *wanted.packages])
        if wanted.without_dependencies:
            ran([*pip, "--no-deps", *wanted.without_dependencies])
        if wanted.removed:
            ran([sys.executable, "-m", "pip", "--python", str(python), "uninstall", "-q", "-y", *wanted.removed])
        done.write_text(told)
    return python


def versions(python: Path, library: str) -> str:
    """The first packages of an environment with their versions."""
    if library == "ours":
        return ran([str(python), "-c", "import chapeta; print('chapeta', chapeta.__version__)"], environment())
    wanted = LIBRARIES[library]
    return ", ".join(
        name.replace("==", " ") for name in (*wanted.without_dependencies, *wanted.packages) if "==" in name
    )


def environment() -> dict[str, str]:
    """What every trainer finds around it: nothing that favours one, and no network."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "CHAPETA_HOME") if name in os.environ}
    quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    return kept | quiet | {"PYTHONPATH": str(REPOSITORY / "src")}


def ran(command: list[str], env: dict[str, str] | None = None) -> str:
    """What a command prints. Raises RuntimeError with its last lines if it fails."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise RuntimeError(f"`{' '.join(command)[-120:]}` failed: {' / '.join(lines[-3:])[:400]}")
    return done.stdout.strip()
