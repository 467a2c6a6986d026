"""What axolotl prints when it fails becomes one line with the setting that helps."""

from __future__ import annotations

from typing import Any

import pytest

from train.failures import ATTEMPT, explain

RECIPE: dict[str, Any] = {
    "base_model": "org/base", "adapter": "lora", "sequence_len": 1024, "micro_batch_size": 8,
    "gradient_accumulation_steps": 2,
}  # fmt: skip

# What the libraries print, shortened in the middle.
CUDA = (
    '  File "torch/nn/functional.py", line 1, in linear\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate '
    "1.96 GiB. GPU 0 has a total capacity of 23.68 GiB of which 512.00 MiB is free.\n"
)
DISK = 'safetensors_rust.SafetensorError: Error while serializing: IoError(Os { code: 28, kind: StorageFull, message: "No space left on device" })\n'
ONE = '  File "random.py", line 352, in randrange\nValueError: empty range in randrange(0, 0)\n'
PYDANTIC = (
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for AxolotlInputConfig\n"
    "lora_r\n  Input should be a valid integer, unable to parse string as an integer [type=int_parsing, "
    "input_value='many', input_type=str]\n    For further information visit https://errors.pydantic.dev\n"
)


@pytest.mark.parametrize(
    ("output", "code", "what", "hint"),
    [
        (CUDA, 1, "GPU's memory was not enough", "micro_batch_size: 4, gradient_accumulation_steps: 4"),
        (DISK, 1, "disk is full", "save_total_limit: 1"),
        ("OSError: [Errno 28] No space left on device\n", 1, "disk is full", "--resume"),
        (ONE, 1, "single session", "greenroom dataset --force"),
        (PYDANTIC, 1, "lora_r: Input should be a valid integer", "Correct those keys"),
        ("ValueError: Your setup doesn't support bf16/gpu. bf16 is not supported\n", 1, "bfloat16", "fp16: true"),
        ("RuntimeError: FlashAttention only supports Ampere GPUs or newer.\n", 1, "flash attention", "sdpa"),
        ("ModuleNotFoundError: No module named 'liger_kernel.transformers'\n", 1, "no liger_kernel.tr", "pip install liger_kernel"),
        ("RuntimeError: Found no NVIDIA driver on your system.\n", 1, "no usable GPU", "nvidia-smi"),
        ("size mismatch for base_model.model.layers.0.lora_A.default.weight\n", 1, "other sizes", "--from"),
        ("huggingface_hub.errors.LocalEntryNotFoundError: Cannot find it\n", 1, "org/base is not on", "data/models"),
        ("Watchdog caught collective operation timeout\n", 1, "lost contact", "--resume"),
        ("", -9, "killed from outside", "micro_batch_size: 4"),
        ("", 137, "killed from outside", "--resume"),
        ("Saving…\n", 0, "without a result", "--resume"),
        ("Traceback\nsome.library.OddError: the moon is full\n", 1, "OddError: the moon is full", "start again"),
        ("nothing to read", 3, "gave no reason", "start again"),
    ],
)  # fmt: skip
def test_a_known_failure_is_explained(output: str, code: int, what: str, hint: str) -> None:
    why, advice = explain(output, code, RECIPE)
    assert what in why
    assert hint in advice
    assert "\n" not in why + advice


def test_only_the_last_attempt_counts() -> None:
    log = f"{ATTEMPT} 2026-01-01\n{CUDA}{ATTEMPT} 2026-01-02\n{DISK}"
    assert "disk" in explain(log, 1, RECIPE)[0]


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"micro_batch_size": 1}, "gradient_checkpointing: true"),
        ({"micro_batch_size": 1, "gradient_checkpointing": True}, "load_in_4bit: true"),
        ({"micro_batch_size": 1, "gradient_checkpointing": True, "load_in_4bit": True}, "sequence_len: 512"),
    ],
)
def test_the_advice_begins_with_what_the_recipe_has_not_done_yet(change: dict[str, Any], hint: str) -> None:
    assert hint in explain(CUDA, 1, {**RECIPE, **change})[1]
