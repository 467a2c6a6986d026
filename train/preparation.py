"""Everything `greenroom train` knows before it starts: recipe, set, device, what was found and estimated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from persona.bases import weights_path
from persona.errors import UserError
from persona.paths import models_dir
from train.checks import Finding, dataset, device_for, environment, prompt_marks, room, served, stopped, versions_there
from train.dataset.tokens import ESTIMATE, TOKENIZER_FILE, FileCounter, TokenCounter, downloaded, find_counter
from train.devices import GIB, Device, cards_here, named
from train.estimate import Estimate, estimate
from train.recipe import Recipe, base_name, find_recipe, read_recipe
from train.register import context_of
from train.runs import RECIPE, Plan, Run, find_run, left_unfinished, new_run, set_sha256
from train.schedule import cards_for_own
from train.set_stats import SetStats, stats_of
from train.shape import read_config, shape_of
from train.training import ON_THE_CPU, OWN_EPOCHS, read_set, speakers_of


class Preparation(msgspec.Struct):
    """A run that could be started.

    Attributes:
        data: the private folder.
        recipe: with what.
        plan: what is asked for.
        source: the recipe's file.
        counter: counts tokens as the base does, or estimates.
        versions: of axolotl and its kind.
        findings: what the checks said.
        found: the estimate for the joint stage, or None where the base's size is not known.
        seconds: the estimated time of all stages together; 0 where it is not known.
        run: the run to go on with, or None for a new one.
        cards: for each own stage at a time, the GPU it runs on.
    """

    data: Path
    recipe: Recipe
    plan: Plan
    source: Path
    counter: TokenCounter
    versions: Mapping[str, str]
    findings: list[Finding]
    found: Estimate | None
    seconds: float = 0.0
    run: Run | None = None
    cards: Sequence[str | None] = (None,)

    @property
    def stopped(self) -> UserError | None:
        """What stands in the way, or None."""
        return stopped(self.findings)

    def new_run(self) -> Run:
        """Make the run's folder."""
        return new_run(self.data, self.plan, self.source)

    def lines(self) -> Iterator[str]:
        """What was found and estimated, to show."""
        yield from map(str, self.findings)
        before = None if self.run else left_unfinished(self.data, self.plan)
        if before is not None:
            yield f"note    {before.name} was to do the same and is unfinished: `greenroom train --resume` goes on."
        if self.found is not None:
            yield _said(self.found, self.seconds)


def _said(found: Estimate, seconds: float) -> str:
    parts = ", ".join(f"{name} {size / GIB:.1f}" for name, size in found.memory.items() if size >= GIB / 20)
    each = " a card" if " x " in found.device else ""
    size = f"{found.parameters / 1e9:.2f} billion parameters, {found.trained / 1e6:,.1f} million trained"
    memory = f"{found.memory_bytes / GIB:.1f} GiB of memory{each} ({parts})"
    steps = f"{found.steps:,} steps over {found.tokens:,} tokens"
    unknown = "how long is not known, since the card's speed is not in the table"
    time = f"about {_duration(seconds)}, within a factor of two" if seconds else unknown
    return f"estimate for {found.device}: {size}; {memory}; {steps}; {time}"


def _duration(seconds: float) -> str:
    if seconds < 90 * 60:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.1f} h"


def prepare(
    data: Path, recipe: str, sets: Path, per_persona: bool, start_from: Path | None, gpu: str | None = None
) -> Preparation:
    """Look at everything that `recipe` needs.

    Args:
        data: the private folder.
        recipe: its name or path.
        sets: folder of the set.
        per_persona: whether each speaker gets an adapter of their own.
        start_from: a joint adapter made before.
        gpu: a card that is not here, to estimate for (`train.devices.named`); then neither axolotl nor the base's
            weights are looked for.

    Raises:
        UserError: something that nothing can be said without is missing or broken: the recipe or the set.
    """
    path = find_recipe(recipe)
    settings = read_recipe(path)
    _only_chats(settings, path)
    speakers = speakers_of(sets)
    read_set(sets / "eval.jsonl")
    context_of(sets)  # can be broken
    if start_from is not None and not (start_from / "adapter_config.json").is_file():
        raise UserError(f"{start_from} holds no adapter.", "Give the folder with adapter_config.json.")
    missing: list[Finding] = []
    base = settings["base_model"]
    if not gpu:
        try:
            base = str(base_folder(settings, data))
        except UserError as error:
            missing = [Finding("stop", error.message, error.hint)]
    plan = Plan(path.stem, str(sets), set_sha256(sets), base, speakers, per_persona, str(start_from or "") or None)
    ready = _look(data, settings, plan, path, named(gpu) if gpu else None)
    ready.findings = [*missing, *ready.findings]
    return ready


def resumed(data: Path, name: str | None) -> Preparation:
    """Go on with the run called `name`, or the newest that is not finished.

    Raises:
        UserError: there is none, or its set is not what it was.
    """
    run = find_run(data, name)
    sets = Path(run.plan.dataset)
    speakers_of(sets)
    read_set(sets / "eval.jsonl")
    if set_sha256(sets) != run.plan.dataset_sha256:
        raise UserError(
            f"the set {sets} is another than the run {run.name} began with.",
            f"Start a new run: greenroom train {run.plan.recipe}",
        )
    ready = _look(data, read_recipe(run.folder / RECIPE), run.plan, run.folder / RECIPE, None)
    ready.run = run
    return ready


def base_folder(recipe: Recipe, data: Path) -> Path:
    """The folder of the base's weights: in `data/models`, where the recipe says, or in Hugging Face's cache.

    Raises:
        UserError: it is in none of them. Nothing is downloaded.
    """
    try:
        return weights_path(base_name(recipe), data).resolve()
    except UserError:
        places = [Path(recipe["base_model"]).expanduser(), *downloaded(recipe["base_model"])]
        for place in places:
            if (place / "config.json").is_file() and any(place.glob("*.safetensors")):
                return place.resolve()
        raise


def _only_chats(recipe: Recipe, path: Path) -> None:
    kinds = {str(one.get("type")) for one in recipe.get("datasets") or [] if isinstance(one, dict)}
    if kinds != {"chat_template"}:
        said = ", ".join(sorted(kinds)) or "none"
        raise UserError(
            f"{path.name} does not train on a set of `greenroom dataset`: its type is {said}.",
            f"Run it by hand: axolotl train {path}",
        )


def _look(data: Path, recipe: Recipe, plan: Plan, source: Path, card: Device | None) -> Preparation:
    sets = Path(plan.dataset)
    conversations = read_set(sets / "train.jsonl")
    counter = _counter(recipe, Path(plan.base), data)
    stats = stats_of(conversations, read_set(sets / "eval.jsonl"), counter)
    sessions = _sessions_of(plan.speakers, conversations)
    config = read_config(recipe["base_model"], [Path(plan.base), models_dir(data) / base_name(recipe)])
    context = shape_of(config).context if config else 0
    findings = list(served(recipe))
    if Path(plan.base).is_dir():
        findings += prompt_marks(recipe, Path(plan.base), conversations)
    findings += list(dataset(recipe, stats, sessions, context, plan.per_persona))
    versions: Mapping[str, str] = {}
    if card is None:
        device = device_for(recipe)
        try:
            versions = versions_there()
            findings[:0] = environment(recipe, versions, device)
        except UserError as error:
            findings.insert(0, Finding("stop", error.message, error.hint))
    else:
        device = card
    found, seconds = None, 0.0
    cards = cards_for_own(0 if device.is_cpu else len(cards_here()) if card is None else card.count)
    if device.is_cpu and ON_THE_CPU not in (recipe.get("plugins") or []):
        pass  # it will not run here, so there is nothing to estimate
    elif config:
        found = estimate(recipe, config, stats, device)
        runs = None if card else data / "runs"
        stages = 1 + (len(plan.speakers) if plan.per_persona else 0)
        findings += room(recipe, found, config, stats, device, runs, stages)
        seconds = 0.0 if plan.start_from else found.seconds
        if plan.per_persona and found.seconds:
            seconds += _own_seconds(recipe, config, conversations, plan.speakers, stats, device) / len(cards)
    else:
        findings.append(
            Finding("warning", f"the size of {recipe['base_model']} is not known, so nothing is estimated.",
                    "Put its config.json into data/models/NAME.")
        )  # fmt: skip
    return Preparation(data, recipe, plan, source, counter, versions, findings, found, seconds, cards=cards)


def _counter(recipe: Recipe, base: Path, data: Path) -> TokenCounter:
    if (base / TOKENIZER_FILE).is_file():
        return FileCounter(base / TOKENIZER_FILE)
    try:
        return find_counter(recipe["base_model"], data)
    except UserError:
        return ESTIMATE


def _sessions_of(speakers: list[str], conversations: list[list[dict[str, Any]]]) -> dict[str, int]:
    counts = dict.fromkeys(speakers, 0)
    for conversation in conversations:
        for speaker in {turn["from"] for turn in conversation if turn["train"]}:
            counts[speaker] += 1
    return counts


def _own_seconds(
    recipe: Recipe,
    config: Mapping[str, Any],
    conversations: list[list[dict[str, Any]]],
    speakers: list[str],
    stats: SetStats,
    device: Device,
) -> float:
    """Seconds of each speaker's pass over the sessions they are in, on one card each, summed."""
    one = msgspec.structs.replace(device, count=1)
    own = {**recipe, "num_epochs": OWN_EPOCHS}
    seconds = 0.0
    for speaker in speakers:
        theirs = tuple(
            length
            for length, talk in zip(stats.lengths, conversations, strict=True)
            if any(turn["train"] and turn["from"] == speaker for turn in talk)
        )
        seconds += estimate(own, config, SetStats(theirs), one).seconds
    return seconds
