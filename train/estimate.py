"""How much memory and time a recipe will take, before it is started.

    memory a card = weights + (gradients + optimizer + activations + logits) x 1.3 for the allocator + a fixed part
    time          = tokens x FLOPs a token / (cards x TFLOPS x utilisation), and the evaluations

The terms and where their constants come from are in docs/training.md. Take the memory as right within a quarter
and the time within a factor of two.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import msgspec

from train.devices import Device
from train.recipe import Recipe, number
from train.set_stats import SetStats
from train.shape import ALL_LINEAR, Shape, shape_of

UTILISATION = 0.35
UTILISATION_4BIT = 0.25
UTILISATION_CPU = 0.5
"""The share of a device's TFLOPS that training reaches, counting what is computed twice: with matrices as they are,
with 4-bit ones that are unpacked each time, and, on a processor, of what `matmul_tflops` measures."""

PACKED = 0.95
"""How full packed rows get."""

ALLOCATOR_SHARE = 0.3
CUDA_BYTES = 800 << 20
"""A card: what PyTorch's allocator holds beyond what is used, as a share of all but the weights (chosen with the seeds'
two runs in view, docs/training.md), and the context with its kernels."""

CPU_SHARE = 0.1
CPU_BYTES = 1300 << 20
"""A processor: the same for memory, and Python with torch, transformers and axolotl."""

START_SECONDS = 30.0
"""To import axolotl, tokenize and load, once a stage."""

BYTES_4BIT = 0.55
"""A weight in NF4 with its scales."""

# Bytes of optimizer state a trained parameter, in float32 unless the name says otherwise.
_OPTIMIZER_BYTES = (("8bit", 2.0), ("4bit", 1.0), ("adafactor", 0.1), ("lion", 4.0), ("muon", 4.0), ("sgd", 4.0))
_ADAM_BYTES = 8.0


class Estimate(msgspec.Struct, frozen=True):
    """What a run will take.

    Attributes:
        device: what it was estimated for.
        parameters: of the base.
        trained: parameters that are trained.
        memory: bytes on each card (or of the machine's memory) by part.
        capacity: bytes that each card has.
        tokens: tokens that are read in all epochs, without padding.
        computed_tokens: the same with padding.
        steps: optimizer steps.
        seconds: from start to end; 0 where the device's speed is not known.
        checkpoint_bytes: of one checkpoint on disk.
        disk_bytes: of everything a run keeps at its fullest.
        seconds_between_saves: how much a kill can cost; 0 where the speed is not known.
    """

    device: str
    parameters: int
    trained: int
    memory: Mapping[str, int]
    capacity: int
    tokens: int
    computed_tokens: int
    steps: int
    seconds: float
    checkpoint_bytes: int
    disk_bytes: int
    seconds_between_saves: float

    @property
    def memory_bytes(self) -> int:
        """The sum of `memory`."""
        return sum(self.memory.values())

    @property
    def fits(self) -> bool:
        """Whether that is less than a card has."""
        return self.memory_bytes <= self.capacity


def estimate(recipe: Recipe, base_config: Mapping[str, Any], stats: SetStats, device: Device) -> Estimate:
    """What training `recipe` on a set of `stats` takes on `device`.

    Args:
        recipe: as axolotl reads it.
        base_config: what the base model's `config.json` says.
        stats: of the set, in tokens of the base's tokenizer.
        device: `train.devices.named("rtx3090")`, `processor()` or one of `cards_here()`.

    Raises:
        UserError: the config does not say what is needed.
    """
    shape = shape_of(base_config)
    rows = _Rows(recipe, stats)
    trained = _trained(recipe, shape)
    steps = _steps(recipe, rows.per_epoch, device.count)
    epochs = number(recipe, "num_epochs", 1)
    computed = round(rows.computed * epochs * (steps / max(1, _full_steps(recipe, rows.per_epoch, device.count))))
    seconds = _seconds(recipe, shape, stats, device, computed, rows.width, epochs)
    checkpoint, disk = _disk(recipe, shape, trained)
    saves = max(1.0, number(recipe, "saves_per_epoch", 1) * epochs)
    if recipe.get("save_steps"):
        every = number(recipe, "save_steps", 1)
        saves = max(1.0, 1 / every if every < 1 else steps / every)
    return Estimate(
        device=str(device),
        parameters=shape.parameters,
        trained=trained,
        memory=_memory(recipe, shape, rows.width, trained, device),
        capacity=device.memory,
        tokens=round(stats.tokens * epochs),
        computed_tokens=computed,
        steps=steps,
        seconds=seconds,
        checkpoint_bytes=checkpoint,
        disk_bytes=disk,
        seconds_between_saves=seconds / saves,
    )


class _Rows:
    """The rows that an epoch reads: how many, how wide at the most, and how many tokens they are with padding."""

    def __init__(self, recipe: Recipe, stats: SetStats) -> None:
        limit = int(number(recipe, "sequence_len", 512))
        batch = int(number(recipe, "micro_batch_size", 1))
        # What is longer than a row is dropped (axolotl), so it costs nothing.
        kept = [length for length in stats.lengths if length <= limit] or [min(limit, max(stats.lengths, default=1))]
        if recipe.get("sample_packing"):
            self.per_epoch = max(1, math.ceil(sum(kept) / (limit * PACKED)))
            self.width, self.computed = limit, self.per_epoch * limit
        elif recipe.get("pad_to_sequence_len"):
            self.per_epoch, self.width, self.computed = len(kept), limit, len(kept) * limit
        else:
            # Each batch is as wide as its longest row.
            random.Random(0).shuffle(kept)
            batches = [kept[start : start + batch] for start in range(0, len(kept), batch)]
            self.per_epoch, self.width = len(kept), max(kept)
            self.computed = sum(max(one) * len(one) for one in batches)


def _full_steps(recipe: Recipe, rows: int, cards: int) -> int:
    batch = number(recipe, "micro_batch_size", 1) * number(recipe, "gradient_accumulation_steps", 1) * cards
    return max(1, round(math.ceil(rows / batch) * number(recipe, "num_epochs", 1)))


def _steps(recipe: Recipe, rows: int, cards: int) -> int:
    limit = int(number(recipe, "max_steps", 0))
    full = _full_steps(recipe, rows, cards)
    return min(full, limit) if limit > 0 else full


def _targets(recipe: Recipe) -> tuple[str, ...]:
    named = recipe.get("lora_target_modules")
    if recipe.get("lora_target_linear") or named in (None, "all-linear") or not isinstance(named, list):
        return ALL_LINEAR
    return tuple(str(name).rpartition(".")[2] for name in named)


def _trained_layers(recipe: Recipe, shape: Shape) -> list[int]:
    """The blocks that have something to train."""
    chosen = recipe.get("peft_layers_to_transform")
    if not recipe.get("adapter") or not isinstance(chosen, list):
        return list(range(shape.layers))
    return [layer for layer in chosen if isinstance(layer, int) and layer < shape.layers] or [0]


def _trained(recipe: Recipe, shape: Shape) -> int:
    if not recipe.get("adapter"):
        return shape.parameters
    rank = int(number(recipe, "lora_r", 8))
    each = sum(sum(shape.matrix(name)) * shape.copies(name) for name in _targets(recipe))
    whole = recipe.get("lora_modules_to_save") or []
    return rank * each * len(_trained_layers(recipe, shape)) + shape.embedding * len(whole)


def _checkpointing(recipe: Recipe) -> bool:
    fsdp = recipe.get("fsdp_config") or {}
    return bool(recipe.get("gradient_checkpointing") or fsdp.get("activation_checkpointing"))


def _sharded(recipe: Recipe) -> bool:
    return bool(recipe.get("fsdp_config") or recipe.get("fsdp") or "zero3" in str(recipe.get("deepspeed")))


def _width(recipe: Recipe, device: Device) -> int:
    """Bytes of a number in a matrix product."""
    if device.is_cpu:
        return 2 if device.bf16 else 4
    return 2 if recipe.get("bf16") in (True, "auto", "full") or recipe.get("fp16") else 4


def _optimizer_bytes(recipe: Recipe) -> float:
    name = str(recipe.get("optimizer", "adamw_torch"))
    return next((size for part, size in _OPTIMIZER_BYTES if part in name), _ADAM_BYTES)


def _memory(recipe: Recipe, shape: Shape, row: int, trained: int, device: Device) -> dict[str, int]:
    width = _width(recipe, device)
    shards = device.count if _sharded(recipe) else 1
    parts: dict[str, float] = {}
    if recipe.get("adapter"):
        linear = shape.layers * shape.layer
        # Unquantised parameters beside 4-bit ones (embeddings, norms) are kept in float32.
        if recipe.get("load_in_4bit"):
            weights = BYTES_4BIT * linear + 4 * (shape.parameters - linear)
        elif recipe.get("load_in_8bit"):
            weights = 1.03 * linear + 4 * (shape.parameters - linear)
        else:
            weights = width * shape.parameters
        parts["weights"] = weights / shards
        master = 4
    else:
        # Sharded training keeps its weights in float32; alone they stay as they are computed with.
        master = 4 if _sharded(recipe) or width == 4 else 2
        parts["weights"] = master * trained / shards
    if recipe.get("adapter"):
        parts["adapter"] = master * trained / shards
    parts["gradients"] = master * trained / shards
    parts["optimizer"] = _optimizer_bytes(recipe) * (master / 4) * trained / shards
    if shards > 1:
        # Two blocks and one table are whole at a time: one computed with, the next on its way.
        parts["gathered"] = width * (2 * shape.layer + shape.embedding)
    rows = row * int(number(recipe, "micro_batch_size", 1))
    parts["activations"] = _activations(recipe, shape, rows, row, width)
    if not any("cut_cross_entropy" in str(one) or "liger" in str(one) for one in recipe.get("plugins") or []):
        # As computed, in float32, and the gradients of both.
        parts["logits"] = rows * shape.vocabulary * (2 * width + 8)
    passing = sum(parts.values()) - parts["weights"]
    parts["allocator"] = passing * (CPU_SHARE if device.is_cpu else ALLOCATOR_SHARE)
    parts["fixed"] = CPU_BYTES if device.is_cpu else CUDA_BYTES
    return {name: round(size) for name, size in parts.items()}


def _activations(recipe: Recipe, shape: Shape, tokens: int, row: int, width: int) -> float:
    """Bytes that the forward pass of `tokens` tokens in rows of `row` leaves for the backward pass."""
    hidden, inner = shape.hidden, shape.intermediate * shape.active_experts
    heads, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    # Inputs of both norms (as they are and in float32), residuals, queries, keys, values, attention's output, and
    # the feed-forward's gate, its activation, the other branch and their product.
    block = tokens * (width * (6 * hidden + 3 * heads + 4 * kv + 4 * inner) + 8 * hidden)
    if recipe.get("adapter") and number(recipe, "lora_dropout", 0) > 0:
        block += tokens * width * sum(shape.matrix(name)[0] for name in _targets(recipe))
    if recipe.get("attn_implementation") == "eager":
        # Scores, their softmax in float32, and that again as computed.
        block += tokens * row * shape.heads * (2 * width + 4)
    deep = shape.layers - min(_trained_layers(recipe, shape))
    if _checkpointing(recipe):
        return deep * tokens * width * hidden + block
    return deep * block


def _flops(recipe: Recipe, shape: Shape, row: int) -> tuple[float, float]:
    """Floating-point operations a token: of a training step, and of the forward pass alone."""
    attention = 2 * shape.heads * shape.head_dim * row  # causal: half of a row is looked at
    block = 2 * shape.active_layer + attention
    head = 2 * shape.embedding
    forward = shape.layers * block + head
    deep = shape.layers - min(_trained_layers(recipe, shape))
    back = deep * (block + attention) + head
    if recipe.get("adapter"):
        learned = 4 * _trained(recipe, shape)  # forward is in neither term: adapters are small
    else:
        learned = 2 * (shape.layers * shape.active_layer + shape.embedding)
    again = deep * block if _checkpointing(recipe) else 0
    return forward + back + learned + again, forward


def _seconds(
    recipe: Recipe, shape: Shape, stats: SetStats, device: Device, computed: int, row: int, epochs: float
) -> float:
    if not device.tflops:
        return 0.0
    share = UTILISATION_CPU if device.is_cpu else UTILISATION
    if not device.is_cpu and (recipe.get("load_in_4bit") or recipe.get("load_in_8bit")):
        share = UTILISATION_4BIT
    speed = device.count * device.tflops * 1e12 * share
    mean = round(stats.tokens / max(1, stats.sessions))
    step, forward = _flops(recipe, shape, row if recipe.get("pad_to_sequence_len") else mean)
    evaluations = number(recipe, "evals_per_epoch", 0) * epochs if recipe.get("test_datasets") else 0
    return START_SECONDS + (computed * step + evaluations * sum(stats.held_out) * forward) / speed


def _disk(recipe: Recipe, shape: Shape, trained: int) -> tuple[int, int]:
    """Bytes of a checkpoint, and of all of a run's at once (one more than it keeps, while it writes)."""
    weights = 4 * trained if recipe.get("adapter") or _sharded(recipe) else 2 * shape.parameters
    state = 0 if recipe.get("save_only_model") else _optimizer_bytes(recipe) * trained
    checkpoint = round(weights + state)
    kept = int(number(recipe, "save_total_limit", 4))  # axolotl's own default
    return checkpoint, checkpoint * (kept + 1) + weights
