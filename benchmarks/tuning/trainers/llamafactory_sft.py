"""Trains with LLaMA-Factory, through what its command line calls. Called with a file of settings; `own`: its arguments.

Its template for the embedded model puts a line break behind each answer, which it also trains on: one token a row more.
It imports torchaudio, which text does not need and whose build for a GPU does not load beside a PyTorch without one, so
an empty module stands for it.
"""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

sys.modules["torchaudio"] = ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)

import torch  # noqa: E402
from llamafactory.train.sft import trainer as sft  # noqa: E402
from llamafactory.train.tuner import run_exp  # noqa: E402
from noting import Noting  # noqa: E402
from steps import Steps  # noqa: E402


def main(settings: dict[str, Any]) -> None:
    out = Path(settings["out"])
    noting = Noting(Steps(out, settings["seconds"]))
    columns = {"prompt": "text", "response": "label", "system": "system"}
    described = {"rows": {"file_name": settings["train"], "columns": columns}}
    (out / "dataset_info.json").write_text(json.dumps(described), encoding="utf-8")
    plain_step = sft.CustomSeq2SeqTrainer.training_step

    def counted(self: Any, model: Any, inputs: Any, *rest: Any, **more: Any) -> torch.Tensor:
        noting.tokens += int((inputs["attention_mask"] != 0).sum())
        return plain_step(self, model, inputs, *rest, **more)

    sft.CustomSeq2SeqTrainer.training_step = counted
    rank = settings["rank"]
    run_exp(
        {
            "stage": "sft", "do_train": True, "model_name_or_path": settings["base"], "template": "smollm2",
            "finetuning_type": "lora", "lora_target": "all", "lora_rank": rank, "lora_alpha": 2 * rank,
            "dataset": "rows", "dataset_dir": str(out), "output_dir": str(out / "adapter"), "save_strategy": "no",
            "num_train_epochs": settings["epochs"], "seed": settings["seed"], "report_to": "none", "use_cpu": True,
            "disable_tqdm": True, "logging_strategy": "no", **settings["own"],
        },
        [noting],
    )  # fmt: skip


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
