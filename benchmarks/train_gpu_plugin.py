"""The axolotl plugin of benchmarks/train_gpu.sh: counts tokens that are no padding, and the memory they took."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from transformers import TrainerCallback

WARM_UP = 5
"""Steps that compile kernels and fill caches, and are not counted."""


class Count(TrainerCallback):  # type: ignore[misc]  # transformers publishes no types
    """Counts from the end of the warm-up to the end of training."""

    def __init__(self, trainer: Any, pad: int, out: Path) -> None:
        self.out = out
        self.tokens = self.places = 0
        self.began = time.perf_counter()
        compute = trainer.compute_loss

        def counted(model: Any, inputs: dict[str, Any], *arguments: Any, **named: Any) -> Any:
            # Only sizes and sums that stay on the GPU, so that no step waits for the count.
            self.places += inputs["input_ids"].numel()
            self.tokens = self.tokens + (inputs["input_ids"] != pad).sum()
            return compute(model, inputs, *arguments, **named)

        trainer.compute_loss = counted

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """The warm-up ends here, if it is the last step of it."""
        if state.global_step == WARM_UP:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.tokens = self.places = 0
            self.began = time.perf_counter()

    def on_train_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Write what was found."""
        tokens = int(self.tokens)  # waits for the GPU
        seconds = time.perf_counter() - self.began
        peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
        found = {
            "tokens_per_s": tokens / seconds,
            "padding": 1 - tokens / max(self.places, 1),
            "allocated_gib": peak,
            "steps": state.global_step - WARM_UP,
        }
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "pace.json").write_text(json.dumps(found), "utf-8")


class Pace(BasePlugin):  # type: ignore[misc]  # axolotl publishes no types
    """Adds the count to axolotl's trainer."""

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """The callbacks to add."""
        return [Count(trainer, trainer.processing_class.pad_token_id, Path(cfg.output_dir))]
