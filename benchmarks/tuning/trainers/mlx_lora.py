"""Trains with mlx-lm. Called with a file of settings; `own`: arguments of its trainer, the learning rate, `dtype`.

Its own dataset of chat rows would add a line break after the answer and then train on the same rows; here the tokens are
everybody's. The adapter is written as PEFT reads it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
from mlx.utils import tree_flatten
from mlx_lm import load
from mlx_lm.tuner.datasets import CacheDataset
from mlx_lm.tuner.trainer import TrainingArgs, iterate_batches, train
from mlx_lm.tuner.utils import linear_to_lora_layers
from steps import Steps


class Rows:
    """Rows as mlx-lm's datasets give them: token ids, and where the answer begins."""

    def __init__(self, lines: list[dict[str, Any]], tokeniser: Any) -> None:
        self.lines, self.tokeniser = lines, tokeniser

    def process(self, line: dict[str, Any]) -> tuple[list[int], int]:
        prompt, answer = (self.tokeniser.encode(line[key], add_special_tokens=False) for key in ("prompt", "answer"))
        return prompt + answer, len(prompt)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self.lines[place]

    def __len__(self) -> int:
        return len(self.lines)


def main(settings: dict[str, Any]) -> None:
    out, own = Path(settings["out"]), dict(settings["own"])
    steps = Steps(out, settings["seconds"])
    mx.random.seed(settings["seed"])
    model, tokeniser = load(settings["base"])
    model.set_dtype(getattr(mx, own.pop("dtype")))
    model.freeze()
    rank = settings["rank"]
    linear_to_lora_layers(model, len(model.layers), {"rank": rank, "scale": 2.0, "dropout": 0.0, "keys": keys(model)})
    lines = [json.loads(line) for line in Path(settings["train"]).read_text(encoding="utf-8").splitlines()]
    optimiser = optim.Adam(learning_rate=rate(own.pop("learning_rate"), own.pop("decay_steps", 0)))
    batch = own.get("batch_size", 4)
    iterations = int(settings["epochs"] * (len(lines) // batch))
    (out / "adapter").mkdir(exist_ok=True)
    arguments = TrainingArgs(iters=iterations, adapter_file=str(out / "mlx.safetensors"), steps_per_save=10**9, **own)

    def noted(**more: Any) -> Iterator[tuple[mx.array, mx.array]]:
        """mlx-lm's own batches; it asks for the next one when a step has ended."""
        for rows, lengths in iterate_batches(**more):
            yield rows, lengths
            if steps.done(int(lengths[:, 1].sum().item())):
                return

    train(model, optimiser, CacheDataset(Rows(lines, tokeniser)), args=arguments, iterate_batches=noted)
    save_peft(model, rank, out / "adapter")


def keys(model: Any) -> set[str]:
    """The linear layers of a decoder layer, by name."""
    return {name for name, module in model.layers[0].named_modules() if type(module).__name__ == "Linear"}


def rate(peak: float, decay_steps: int) -> Any:
    return optim.linear_schedule(peak, 0.0, decay_steps) if decay_steps else peak


def save_peft(model: Any, rank: int, folder: Path) -> None:
    state = {}
    for name, matrix in tree_flatten(model.trainable_parameters()):
        layer, _, kind = name.rpartition(".")
        state[f"base_model.model.{layer}.lora_{kind[-1].upper()}.weight"] = mx.contiguous(matrix.T.astype(mx.float32))
    mx.save_safetensors(str(folder / "adapter_model.safetensors"), state)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
