"""What a bundle will take on a card, before anything is paid for: hours, memory, disk, for all of its stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from train.bundle.packing import Needs, own_recipe
from train.devices import Device
from train.estimate import Estimate, estimate
from train.recipe import Recipe
from train.set_stats import SetStats

SPARE_DISK_BYTES = 2_000_000_000
"""For the unpacked bundle, tokenized copies of the set, and logs."""

Conversations = list[list[dict[str, Any]]]


class Plan(msgspec.Struct, frozen=True):
    """The estimates of a bundle's stages, together.

    Attributes:
        joint: for everyone together; None where that adapter was made before.
        own: by speaker, of going on with their own turns.
        needs: what the machine must have.
    """

    joint: Estimate | None
    own: dict[str, Estimate]
    needs: Needs

    @property
    def stages(self) -> list[Estimate]:
        """Every stage, in turn."""
        return [*([self.joint] if self.joint else []), *self.own.values()]

    @property
    def seconds(self) -> float:
        """From start to end; 0 where the card's speed is not known."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def fits(self) -> bool:
        """Whether every stage fits in the card's memory."""
        return all(stage.fits for stage in self.stages)


def plan(
    recipe: Recipe,
    base_config: Mapping[str, Any],
    stats: SetStats,
    train: Conversations,
    device: Device,
    *,
    speakers: list[str],
    joint: bool,
    base_bytes: int,
) -> Plan:
    """What training a bundle takes on `device`.

    Args:
        recipe: as axolotl reads it.
        base_config: what the base's config.json says.
        stats: of the whole set.
        train: the set's conversations, in the order of `stats`.
        device: the card.
        speakers: who gets a stage of their own.
        joint: whether there is a stage for everyone.
        base_bytes: of the base if it goes along, else 0: it is downloaded there.
    """
    together = estimate(recipe, base_config, stats, device) if joint else None
    own = {}
    for speaker in speakers:
        lengths = tuple(
            length
            for length, conversation in zip(stats.lengths, train, strict=True)
            if any(turn["train"] and turn["from"] == speaker for turn in conversation)
        )
        if lengths:
            theirs = SetStats(lengths, stats.held_out, stats.counted_with)
            own[speaker] = estimate(own_recipe(recipe), base_config, theirs, device)
    stages = [*([together] if together else []), *own.values()]
    weights = base_bytes or 2 * stages[0].parameters
    disk = SPARE_DISK_BYTES + weights + sum(stage.disk_bytes for stage in stages)
    if not recipe.get("adapter"):
        disk += weights  # the archive of the result
    memory = 0.0 if device.is_cpu else max(stage.memory_bytes for stage in stages) / 1e9
    return Plan(together, own, Needs(gpu=not device.is_cpu, gpu_memory_gb=memory, disk_gb=disk / 1e9))
