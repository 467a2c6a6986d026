"""An axolotl plugin that lets a recipe train on a CPU, in the fastest precision the processor has.

axolotl refuses `bf16: true` where there is no GPU unless the trainer is told to use the CPU, and has no key for
that. A recipe names the plugin: `plugins: [train.axolotl_cpu.CpuPlugin]`. It runs inside axolotl's environment.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin


class CpuPlugin(BasePlugin):  # type: ignore[misc]  # axolotl publishes no types
    """Trains on the CPU: in bfloat16 where the processor computes in it, else in float32.

    Measured with SmolLM2 135M on two cores: with AVX-512 BF16, 350 tokens/s in bfloat16 and 177 in float32; without
    it, 58 and about 200.
    """

    def register(self, cfg: dict[str, Any]) -> None:
        """Set the precision in the recipe before axolotl reads it, and keep it to this process."""
        # axolotl writes a tokenized set with workers, which import all of it first: half a minute for a set that is
        # written in less than a second, twice a run. This is its own variable for their number, and 0 is none.
        os.environ.setdefault("AXOLOTL_DATASET_NUM_PROC", "0")
        cfg["bf16"] = bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())

    def pre_model_load(self, cfg: Any) -> None:
        """Keep the weights here: with several processes axolotl would send each to the GPU of its number."""
        if isinstance(cfg.device_map, dict):
            # The very mapping that the model is about to be loaded with; another one would come too late.
            cfg.device_map[""] = "cpu"

    def get_training_args(self, cfg: Any) -> dict[str, Any]:
        """The arguments to add to transformers' TrainingArguments."""
        return {"use_cpu": True}
