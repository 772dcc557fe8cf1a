"""Trains with TRL's `SFTTrainer` and PEFT, through Unsloth's loader if asked for. Called with a file of settings.

`own` are arguments of `SFTConfig`, and `dtype`: that of the weights, `adapted_layers`: how many, counted from above, and
`lora_plus_ratio`: how many times as fast as A the matrices B learn, through PEFT's optimiser for it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from steps import Steps

SETTINGS: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
if SETTINGS["library"] == "unsloth":
    import unsloth  # before the others, which it changes

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from noting import Noting  # noqa: E402
from peft import LoraConfig  # noqa: E402
from peft.optimizers import create_loraplus_optimizer  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from trl import SFTConfig, SFTTrainer  # noqa: E402

LORA = {"r": SETTINGS["rank"], "lora_alpha": 2 * SETTINGS["rank"], "lora_dropout": 0.0}
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    out, own = Path(SETTINGS["out"]), dict(SETTINGS["own"])
    noting = Noting(Steps(out, SETTINGS["seconds"]))
    adapted, ratio = own.pop("adapted_layers", None), own.pop("lora_plus_ratio", None)
    model, tokeniser, lora = loaded(own.pop("dtype"), own.get("gradient_checkpointing", True), adapted)
    lines = [json.loads(line) for line in Path(SETTINGS["train"]).read_text(encoding="utf-8").splitlines()]
    rows = Dataset.from_list([{"prompt": it["prompt"], "completion": it["answer"]} for it in lines])
    config = SFTConfig(
        output_dir=str(out / "work"), num_train_epochs=SETTINGS["epochs"], seed=SETTINGS["seed"], use_cpu=True,
        save_strategy="no", report_to=[], disable_tqdm=True, **own,
    )  # fmt: skip

    class Counting(SFTTrainer):
        def create_optimizer(self, *rest: Any) -> Any:
            if ratio is None:
                return super().create_optimizer(*rest)
            self.optimizer = create_loraplus_optimizer(
                self.model, torch.optim.AdamW, lr=config.learning_rate, loraplus_lr_ratio=ratio, fused=True
            )
            return self.optimizer

        def training_step(self, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            mask = inputs.get("attention_mask")
            noting.tokens += int(inputs["input_ids"].numel() if mask is None else mask.sum())
            return super().training_step(model, inputs, *rest, **more)

    trainer = Counting(
        model=model, args=config, train_dataset=rows, processing_class=tokeniser, peft_config=lora, callbacks=[noting]
    )
    trainer.train()
    trainer.model.save_pretrained(str(out / "adapter"))


def loaded(dtype: str, recompute: bool, adapted: int | None) -> tuple[Any, Any, LoraConfig | None]:
    """Model and tokeniser, and what is still to be adapted."""
    count = json.loads((Path(SETTINGS["base"]) / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    upper = list(range(count - adapted, count)) if adapted else None
    if SETTINGS["library"] == "unsloth":
        model, tokeniser = unsloth.FastLanguageModel.from_pretrained(
            SETTINGS["base"], max_seq_length=1024, dtype=getattr(torch, dtype), load_in_4bit=False
        )
        model = unsloth.FastLanguageModel.get_peft_model(
            model, target_modules=LAYERS, layers_to_transform=upper, bias="none", random_state=SETTINGS["seed"],
            use_gradient_checkpointing="unsloth" if recompute else False, **LORA,
        )  # fmt: skip
        return model, tokeniser, None
    model = AutoModelForCausalLM.from_pretrained(SETTINGS["base"], dtype=getattr(torch, dtype))
    tokeniser = AutoTokenizer.from_pretrained(SETTINGS["base"])
    return model, tokeniser, LoraConfig(target_modules=LAYERS, layers_to_transform=upper, task_type="CAUSAL_LM", **LORA)


if __name__ == "__main__":
    main()
