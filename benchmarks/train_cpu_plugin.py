"""The axolotl plugin of `benchmarks.train_cpu`: after each step of axolotl's, the same step in a bare PEFT loop."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, TrainerCallback

WARM_UP = 3
"""Steps that fill caches and are not counted."""


class BareLoop:
    """Nothing but PyTorch and PEFT, over what it is given."""

    def __init__(self, trainer: Any) -> None:
        """A second copy of the model that `trainer` trains, in the precision it has there."""
        config = trainer.model.peft_config["default"]
        frozen = next(weight for weight in trainer.model.parameters() if not weight.requires_grad)
        base = AutoModelForCausalLM.from_pretrained(config.base_model_name_or_path, dtype=frozen.dtype)
        wanted = ("r", "lora_alpha", "lora_dropout", "target_modules", "layers_to_transform")
        same = {name: getattr(config, name) for name in wanted}
        self.model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **same)).train()
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(weights, lr=trainer.args.learning_rate, weight_decay=0.0)
        self.clipped = trainer.args.max_grad_norm
        self.dtype = frozen.dtype

    def step(self, batches: list[dict[str, torch.Tensor]]) -> None:
        """One optimizer step over `batches`."""
        for batch in batches:
            loss = self.model(input_ids=batch["input_ids"], labels=batch["labels"]).loss / len(batches)
            loss.backward()
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        torch.nn.utils.clip_grad_norm_(weights, self.clipped)
        self.optimizer.step()
        self.optimizer.zero_grad()


class Watch(TrainerCallback):  # type: ignore[misc]  # transformers publishes no types
    """Times axolotl's steps and the bare ones between them."""

    def __init__(self, trainer: Any) -> None:
        self.bare = BareLoop(trainer)
        self.batches: list[dict[str, torch.Tensor]] = []
        self.times: list[tuple[int, float, float]] = []
        self.resumed = 0.0
        compute = trainer.compute_loss

        def noted(model: Any, inputs: dict[str, Any], *arguments: Any, **named: Any) -> Any:
            self.batches.append({name: inputs[name] for name in ("input_ids", "labels")})
            return compute(model, inputs, *arguments, **named)

        trainer.compute_loss = noted

    def on_train_begin(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """The clock starts."""
        self.began = time.time()
        self.resumed = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """axolotl's step is over; the bare one is taken, and the clock starts again."""
        axolotl = time.perf_counter() - self.resumed
        tokens = sum(batch["input_ids"].numel() for batch in self.batches)
        before = time.perf_counter()
        self.bare.step(self.batches)
        self.times.append((tokens, axolotl, time.perf_counter() - before))
        self.batches = []
        self.resumed = time.perf_counter()

    def on_train_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Write what was found."""
        counted = self.times[WARM_UP:]
        tokens, axolotl, bare = (sum(column) for column in zip(*counted, strict=True))
        # A busy machine makes some steps slow; the median of the steps' own ratios is what it is alone.
        ratios = sorted(theirs / ours for _, ours, theirs in counted)
        figures = {
            "steps": len(counted),
            "tokens": tokens,
            "threads": torch.get_num_threads(),
            "weights": str(self.bare.dtype).removeprefix("torch."),
            "autocast_bf16": bool(args.bf16),
            "axolotl_tokens_per_s": round(tokens / axolotl, 1),
            "bare_tokens_per_s": round(tokens / bare, 1),
            "ratio": round(bare / axolotl, 3),
            "median_ratio_of_a_step": round(ratios[len(ratios) // 2], 3),
            "seconds_before_the_first_step": round(self.began - float(os.environ["ALTERNATING_BEGAN"]), 1),
            "last_step_at": time.time(),
        }
        Path(os.environ["ALTERNATING_OUT"]).write_text(json.dumps(figures), "utf-8")


class Alternating(BasePlugin):  # type: ignore[misc]  # axolotl publishes no types
    """Adds the watch to axolotl's trainer."""

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """The callbacks to add."""
        return [Watch(trainer)]
