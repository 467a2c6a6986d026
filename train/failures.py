"""Why axolotl stopped, read from what it printed: one line, and the setting that helps."""

from __future__ import annotations

import re
from collections.abc import Callable

from train.advice import next_lighter
from train.recipe import Recipe

Explanation = tuple[str, str]
"""What happened, and what to do."""


def _cuda_memory(found: re.Match[str], recipe: Recipe) -> Explanation:
    return "the GPU's memory was not enough.", f"Set {next_lighter(recipe)}, and resume in a new run."


def _disk(found: re.Match[str], recipe: Recipe) -> Explanation:
    kept = recipe.get("save_total_limit")
    advice = "save_total_limit: 1" if kept != 1 else "saves_per_epoch: 1"
    return "the disk is full.", f"Make room and `greenroom train --resume`; {advice} in the recipe keeps less."


def _one_line(found: re.Match[str], recipe: Recipe) -> Explanation:
    return (
        "axolotl cannot train on a set of a single session.",
        "Import more, or lower --min-messages, and make the set again: greenroom dataset --force",
    )


def _all_dropped(found: re.Match[str], recipe: Recipe) -> Explanation:
    return (
        f"no session was left: all are longer than sequence_len ({recipe.get('sequence_len')}) or train nobody.",
        f"greenroom dataset --max-tokens {recipe.get('sequence_len')} --force cuts them to fit.",
    )


def _validation(found: re.Match[str], recipe: Recipe) -> Explanation:
    keys = re.findall(r"^(\w[\w.\[\]]*)\n\s{2,}(\S[^\n]*?)(?: \[type=.*)?$", found[0], re.MULTILINE)
    which = "; ".join(f"{key}: {why}" for key, why in keys[:3]) or "see the log"
    return f"axolotl does not take the recipe ({which}).", "Correct those keys in the recipe."


def _no_bf16(found: re.Match[str], recipe: Recipe) -> Explanation:
    return "this GPU does not compute in bfloat16.", "Set bf16: false and fp16: true in the recipe."


def _no_flash(found: re.Match[str], recipe: Recipe) -> Explanation:
    return (
        "flash attention is not installed, or not for this GPU.",
        "Install flash-attn beside axolotl, or set attn_implementation: sdpa and sample_packing: false.",
    )


def _no_module(found: re.Match[str], recipe: Recipe) -> Explanation:
    return f"the training environment has no {found[1]}.", f"Install it there: pip install {found[1].partition('.')[0]}"


def _no_cuda(found: re.Match[str], recipe: Recipe) -> Explanation:
    return (
        "PyTorch in the training environment found no usable GPU.",
        "Look at `nvidia-smi`, and install the build of PyTorch that its driver asks for.",
    )


def _offline(found: re.Match[str], recipe: Recipe) -> Explanation:
    return (
        f"the base model {recipe.get('base_model')} is not on this machine whole.",
        "Put its files (config, tokenizer, safetensors) into data/models/NAME.",
    )


def _other_adapter(found: re.Match[str], recipe: Recipe) -> Explanation:
    return (
        "the adapter to go on from has other sizes than the recipe's.",
        "Take the recipe that it was trained with (rank, targets, base), or leave --from out.",
    )


def _nccl(found: re.Match[str], recipe: Recipe) -> Explanation:
    return (
        "the GPUs lost contact with each other.",
        "Resume with `greenroom train --resume`; if it comes again, NCCL_P2P_DISABLE=1 in the environment often helps.",
    )


_KNOWN: tuple[tuple[str, Callable[[re.Match[str], Recipe], Explanation]], ...] = (
    (r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|HIP out of memory", _cuda_memory),
    (r"No space left on device|\[Errno 28\]|Disk quota exceeded", _disk),
    (r"empty range (in|for) randrange\(", _one_line),
    (r"no samples left after dropping|[Dd]ataset is empty|The dataset is empty", _all_dropped),
    (r"validation errors? for \w+\n(?:.*\n){1,12}", _validation),
    (r"(?i)bf16[^\n]*(not supported|requested, but)", _no_bf16),
    (r"FlashAttention\w* [^\n]*(not|only)|(?i:flash_attn)[^\n]*(not installed|No module|undefined symbol)", _no_flash),
    (r"NCCL (error|WARN [^\n]*timeout)|Watchdog caught collective operation timeout|ncclInternalError", _nccl),
    (r"size mismatch for base_model|size mismatch for [^\n]*lora_", _other_adapter),
    (r"Found no NVIDIA driver|CUDA driver version is insufficient|no CUDA-capable device|Torch not compiled with CUDA",
     _no_cuda),
    (r"LocalEntryNotFoundError|OfflineModeIsEnabled: |does not appear to have a file named|"
     r"We couldn't connect to 'https://huggingface", _offline),
    (r"ModuleNotFoundError: No module named '([\w.]+)'", _no_module),
)  # fmt: skip

ATTEMPT = "==== greenroom starts axolotl"
"""The line in a log with which each attempt begins."""

_KILLED = (-9, 137)
_LAST_WORDS = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b[^\n]*", re.MULTILINE)


def explain(output: str, code: int, recipe: Recipe) -> Explanation:
    """Why axolotl stopped, and what to do.

    Args:
        output: the end of what it printed.
        code: its exit code; negative for a signal.
        recipe: what it was given.
    """
    # The last attempt alone: the log of a resumed stage holds those before it too.
    output = output.rpartition(ATTEMPT)[2]
    for pattern, explanation in _KNOWN:
        found = re.search(pattern, output)
        if found:
            return explanation(found, recipe)
    if code in _KILLED:
        return (
            "it was killed from outside, as the system does when the machine's memory is full.",
            f"Set {next_lighter(recipe)}, or close what else needs memory and `greenroom train --resume`.",
        )
    if code == 0:
        return "it ended without a result.", "Go on with `greenroom train --resume`."
    last = _LAST_WORDS.findall(output)
    words = f"its last words: {last[-1].strip()[:300]}" if last else "it gave no reason"
    return f"axolotl stopped; {words}.", "Correct the recipe or the environment and start again."
