"""What stands in the way of a recipe, found in seconds before an hour is lost: each with the setting that helps."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from persona.errors import UserError
from persona.names import slug
from train.advice import what_fits
from train.base_tokens import check_base, joined
from train.devices import GIB, Device, cards_here, processor
from train.environment import training_environ, training_python
from train.estimate import Estimate
from train.recipe import Recipe, number
from train.set_stats import SetStats
from train.training import ON_THE_CPU

TESTED_AXOLOTL = "0.19"
_TIGHT = 0.9
_LONG_BETWEEN_SAVES = 45 * 60.0

_VERSIONS = """
import importlib.metadata, json
names = ("axolotl", "torch", "transformers", "peft", "bitsandbytes", "flash-attn", "kernels", "liger-kernel",
         "cut-cross-entropy", "deepspeed")
found = {}
for name in names:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        level: "ok", "warning" (it will run, but not as one may think) or "stop".
        what: what was found.
        hint: what to do about it; empty if nothing.
    """

    level: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        """The finding as one line."""
        mark = {"ok": "ok     ", "warning": "warning", "stop": "STOP   "}[self.level]
        return f"{mark} {self.what}{f' {self.hint}' if self.hint else ''}"


def versions_there() -> dict[str, str]:
    """The versions of axolotl and what recipes need beside it, in the training environment.

    Raises:
        UserError: there is no axolotl.
    """
    python = training_python()
    done = subprocess.run([str(python), "-c", _VERSIONS], capture_output=True, text=True, env=training_environ(python))
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "axolotl" not in found:
        raise UserError(f"there is no axolotl that works with {python}.", "Install it there: make setup-train")
    return found


def device_for(recipe: Recipe) -> Device:
    """What `recipe` would run on here: all cards of the first one's kind, or the processor."""
    cards = cards_here()
    if not cards or ON_THE_CPU in (recipe.get("plugins") or []):
        return processor()
    smallest = min(cards, key=lambda card: card.memory)
    return msgspec.structs.replace(smallest, count=len(cards))


def environment(recipe: Recipe, versions: Mapping[str, str], device: Device) -> Iterator[Finding]:
    """Whether what is installed and built in is what the recipe needs."""
    axolotl = versions["axolotl"]
    if not axolotl.startswith(TESTED_AXOLOTL + "."):
        yield Finding("warning", f"axolotl {axolotl}:", f"the recipes were tested with {TESTED_AXOLOTL}.")
    else:
        yield Finding("ok", f"axolotl {axolotl}, torch {versions.get('torch', '?')}, peft {versions.get('peft', '?')}")
    needs = _needs_cuda(recipe)
    if device.is_cpu:
        if needs:
            yield Finding(
                "stop",
                f"the recipe needs an NVIDIA GPU ({', '.join(needs)}), and there is none here.",
                "smollm2-lora-cpu runs without one; --check --gpu NAME estimates this one for a card.",
            )
        return
    if "+cpu" in versions.get("torch", ""):
        yield Finding("stop", f"torch {versions['torch']} is built without CUDA.", "Install axolotl for your card.")
    if recipe.get("bf16") in (True, "full") and not device.bf16:
        yield Finding("stop", f"{device} does not compute in bfloat16.", "Set bf16: false and fp16: true.")
    yield from _packages(recipe, versions)
    yield Finding("ok", f"{device}, {device.memory / GIB:.0f} GiB each")


def served(recipe: Recipe) -> Iterator[Finding]:
    """Whether both engines can serve what the recipe makes; `persona.gguf_lora.read_config` refuses it later."""
    if not recipe.get("adapter"):
        return
    for trouble, there in (
        ("DoRA (peft_use_dora)", recipe.get("peft_use_dora")),
        ("whole modules (lora_modules_to_save)", recipe.get("lora_modules_to_save")),
        ("ranks that differ by layer", recipe.get("lora_rank_pattern")),
        ("an adapter that is not LoRA", recipe["adapter"] not in ("lora", "qlora")),
        ("new tokens in an adapter (tokens)", recipe.get("tokens")),
    ):
        if there:
            yield Finding("stop", f"the engines cannot serve {trouble}.", "Leave it out of the recipe.")


def prompt_marks(recipe: Recipe, base: Path, conversations: list[list[dict[str, Any]]]) -> Iterator[Finding]:
    """Whether the base in folder `base` reads the one prompt format as training and requests write it."""
    try:
        check_base(base, recipe)
    except UserError as error:
        yield Finding("stop", error.message, error.hint)
        return
    many, seen = joined(base, conversations)
    if many:
        yield Finding(
            "warning",
            f"in {many:,} of {seen:,} replies {base.name} reads name and first letters as one token, unlike requests.",
            'docs/training.md says more under "Another base".',
        )


def _needs_cuda(recipe: Recipe) -> list[str]:
    """The settings of a recipe that a processor has not."""
    on_cpu = ON_THE_CPU in (recipe.get("plugins") or [])
    needs = []
    if recipe.get("load_in_4bit") or recipe.get("load_in_8bit"):
        needs.append("load_in_4bit" if recipe.get("load_in_4bit") else "load_in_8bit")
    if "flash" in str(recipe.get("attn_implementation")) or recipe.get("flash_attention"):
        needs.append("flash attention")
    if recipe.get("fsdp_config") or recipe.get("fsdp"):
        needs.append("FSDP")
    if recipe.get("deepspeed"):
        needs.append("DeepSpeed")
    if not on_cpu:
        needs += [key for key in ("bf16", "fp16", "tf32") if recipe.get(key) in (True, "full")]
        if not needs:
            needs.append("no CPU plugin in it")
    return needs


def _packages(recipe: Recipe, versions: Mapping[str, str]) -> Iterator[Finding]:
    plugins = " ".join(str(one) for one in recipe.get("plugins") or [])
    bits = recipe.get("load_in_4bit") or recipe.get("load_in_8bit")
    wanted = [
        ("bitsandbytes", bits or "bnb" in str(recipe.get("optimizer")),
         "or load_in_4bit: false and optimizer: adamw_torch_fused."),
        ("liger-kernel", "liger" in plugins, "or leave that plugin out."),
        ("cut-cross-entropy", "cut_cross_entropy" in plugins, "or leave that plugin out."),
        ("deepspeed", recipe.get("deepspeed"), "or shard with fsdp_config."),
    ]  # fmt: skip
    for package, needed, otherwise in wanted:
        if needed and package not in versions:
            yield Finding("stop", f"the training environment has no {package}:", f"pip install {package}, {otherwise}")
    flash = "flash" in str(recipe.get("attn_implementation")) or recipe.get("flash_attention")
    if flash and not {"flash-attn", "kernels"} & set(versions):
        yield Finding(
            "stop",
            "the training environment has no flash attention:",
            "pip install flash-attn --no-build-isolation, or set attn_implementation: sdpa and sample_packing: false.",
        )


def dataset(
    recipe: Recipe, stats: SetStats, speakers: Mapping[str, int], context: int, per_persona: bool
) -> Iterator[Finding]:
    """Whether axolotl can train on the set, and on all of it.

    Args:
        recipe: with what.
        stats: the set in tokens.
        speakers: in how many sessions each speaker is trained.
        context: the most positions the base was made for; 0 if not known.
        per_persona: whether each is trained alone too.
    """
    limit = int(number(recipe, "sequence_len", 512))
    if stats.sessions < 2:
        yield Finding(
            "stop",
            "the set has a single session, and axolotl needs two.",
            "Import more, or make shorter sessions: greenroom dataset --gap 5 --force",
        )
    if context and limit > context:
        yield Finding(
            "stop", f"sequence_len {limit} is more than the base's {context}.", f"Set sequence_len: {context}."
        )
    longer, longest = stats.longer_than(limit), max(stats.lengths, default=0)
    truncated = recipe.get("excess_length_strategy") == "truncate"
    if longer:
        fate = "is cut off" if truncated else "is dropped by axolotl without a word"
        level = "stop" if longer == stats.sessions and not truncated else "warning"
        yield Finding(
            level,
            f"{longer:,} of {stats.sessions:,} sessions are longer than sequence_len {limit} (the longest "
            f"{longest:,} tokens); what is longer {fate}.",
            f"greenroom dataset --max-tokens {limit} --force cuts them to fit; or raise sequence_len.",
        )
    held_out = sum(length > limit for length in stats.held_out)
    if held_out and held_out == len(stats.held_out):
        yield Finding("stop", "every held-out session is longer than sequence_len.", "Make the set with --max-tokens.")
    same = [name for name, count in Counter(map(slug, speakers)).items() if count > 1]
    for identity in same:
        who = " and ".join(repr(speaker) for speaker in speakers if slug(speaker) == identity)
        yield Finding("stop", f"{who} would both be the persona {identity}.", "Rename one: greenroom people rename")
    if per_persona:
        for speaker, sessions in speakers.items():
            if sessions < 2:
                yield Finding(
                    "stop",
                    f"{speaker} is trained in a single session, too few for an adapter of their own.",
                    "Leave --per-persona out, or leave them out of the set.",
                )
        if not recipe.get("adapter"):
            yield Finding(
                "stop", "--per-persona is for adapters, and this recipe trains every weight.", "Leave it out."
            )
    if not longer and stats.sessions > 1:
        yield Finding(
            "ok",
            f"{stats.sessions:,} sessions, {stats.tokens:,} tokens, the longest {longest:,} ({stats.counted_with}); "
            f"{len(stats.held_out):,} held out",
        )


def room(
    recipe: Recipe,
    found: Estimate,
    base_config: Mapping[str, Any],
    stats: SetStats,
    device: Device,
    folder: Path | None,
    stages: int,
) -> Iterator[Finding]:
    """Whether memory and disk are enough.

    Args:
        recipe: with what.
        found: its estimate for `device`.
        base_config: the base's `config.json`.
        stats: of the set.
        device: where.
        folder: where the run will be; None for a machine that is not here.
        stages: how many results and checkpoints lie there in the end.
    """
    need, have = found.memory_bytes, found.capacity
    where = "this machine's memory" if device.is_cpu else f"{found.device}"
    line = f"about {need / GIB:.1f} GiB of the {have / GIB:.0f} GiB of {where}"
    if need > have:
        fits = what_fits(recipe, base_config, stats, device)
        hint = f"This would fit: {fits}." if fits else "No setting makes it fit; take a smaller base or a larger card."
        yield Finding("stop", f"memory: {line}.", hint)
    elif need > _TIGHT * have:
        fits = what_fits(recipe, base_config, stats, device)
        yield Finding("warning", f"memory: {line}, which is tight.", f"If it runs out: {fits}." if fits else "")
    else:
        yield Finding("ok", f"memory: {line}")
    yield _disk(found.disk_bytes * stages, folder)
    if found.seconds_between_saves > _LONG_BETWEEN_SAVES:
        times = max(2, round(found.seconds_between_saves / (_LONG_BETWEEN_SAVES / 1.5)))
        more = int(number(recipe, "saves_per_epoch", 1)) * times
        yield Finding(
            "warning",
            f"a kill can cost {found.seconds_between_saves / 3600:.1f} h, the time between two checkpoints.",
            f"Set saves_per_epoch: {more}.",
        )


def _disk(need: int, folder: Path | None) -> Finding:
    line = f"disk: checkpoints take up to {need / 1e9:.1f} GB"
    if folder is None:
        return Finding("ok", f"{line} on the machine that trains")
    free = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.is_dir())).free
    line += f", and {free / 1e9:.1f} GB are free in {folder}"
    if need > free:
        return Finding("stop", f"{line}.", "Set save_total_limit: 1, make room, or use --data on another disk.")
    return Finding("ok", line)


def stopped(findings: Sequence[Finding]) -> UserError | None:
    """The error that what was found is, or None if nothing stands in the way."""
    stops = [finding for finding in findings if finding.level == "stop"]
    if not stops:
        return None
    first = re.sub(r"[:.]$", "", stops[0].what)
    more = f" And {len(stops) - 1} more, above." if len(stops) > 1 else ""
    return UserError(f"not started: {first}.", f"{stops[0].hint}{more}")
