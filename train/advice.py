"""Which setting of a recipe makes it need less memory, tried one after the other on an estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from train.devices import GIB, Device
from train.estimate import estimate
from train.recipe import Recipe, number
from train.set_stats import SetStats


def lighter(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """Recipes that need less and less memory, each with the settings that differ from `recipe`, as they are written.

    First what costs no quality and little time (smaller batches with the same sum), then time, then precision.
    """
    changed = dict(recipe)
    said: dict[str, Any] = {}

    def change(**settings: Any) -> tuple[str, Recipe]:
        said.update(settings)
        changed.update(settings)
        return ", ".join(f"{key}: {str(value).lower()}" for key, value in said.items()), dict(changed)

    batch = int(number(recipe, "micro_batch_size", 1))
    while batch > 1 and batch % 2 == 0:
        batch //= 2
        more = int(number(changed, "gradient_accumulation_steps", 1)) * 2
        yield change(micro_batch_size=batch, gradient_accumulation_steps=more)
    fsdp = recipe.get("fsdp_config") or {}
    if not recipe.get("gradient_checkpointing") and not fsdp.get("activation_checkpointing"):
        yield change(gradient_checkpointing=True)
    if recipe.get("adapter") and not (recipe.get("load_in_4bit") or recipe.get("load_in_8bit")) and not _on_cpu(recipe):
        yield change(adapter="qlora", load_in_4bit=True)
    length = int(number(recipe, "sequence_len", 512))
    while length > 512:
        length //= 2
        yield change(sequence_len=length)


def _on_cpu(recipe: Recipe) -> bool:
    return any("CpuPlugin" in str(one) for one in recipe.get("plugins") or [])


def next_lighter(recipe: Recipe) -> str:
    """The first setting to change where memory was not enough."""
    return next((said for said, _ in lighter(recipe)), "a smaller base model")


def what_fits(recipe: Recipe, base_config: Mapping[str, Any], stats: SetStats, device: Device) -> str | None:
    """The settings with which `recipe` is estimated to fit on `device`, or None if none of them do."""
    for said, changed in lighter(recipe):
        found = estimate(changed, base_config, stats, device)
        if found.fits:
            return f"{said} ({found.memory_bytes / GIB:.1f} GiB)"
    return None
