"""`greenroom train RECIPE --bundle FILE`: say what leaves this machine and what it will take there, then pack it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.bundle.packing import Bundle, Contents, Needs
    from train.bundle.planning import Plan
    from train.devices import Device
    from train.recipe import Recipe


def pack(
    name: str,
    dataset: Path,
    data: Path,
    out: Path,
    per_persona: bool,
    start_from: Path | None,
    gpu: str | None,
    encrypt: bool,
    passphrase_file: Path | None,
) -> None:
    """Write the bundle `out` of a recipe and a dataset, after saying what is in it and what it will take.

    Args:
        name: the recipe's, or the path of its file.
        dataset: folder with the sets.
        data: the private folder.
        out: the file to write.
        per_persona: an adapter for each speaker, going on from the joint one.
        start_from: a joint adapter made before.
        gpu: the card to estimate for.
        encrypt: seal it with a passphrase.
        passphrase_file: where the passphrase stands; seals it too.

    Raises:
        UserError: something is missing, or it cannot be written.
    """
    from persona.bases import weights_path
    from persona.errors import UserError
    from train.bundle.packing import RECORDS, Bundle, from_hub
    from train.bundle.sealing import SealError, make_lock, read_passphrase
    from train.recipe import base_name, find_recipe, read_recipe

    recipe_path = find_recipe(name)
    recipe = read_recipe(recipe_path)
    base = None if from_hub(recipe) else weights_path(base_name(recipe), data).resolve()
    if out.exists():
        raise UserError(f"{out} exists already.", "Choose another name.")
    bundle = Bundle(recipe, recipe_path, dataset, base=base, start_from=start_from)
    needs = _estimate(bundle, recipe, data, gpu, per_persona)
    sealed = encrypt or passphrase_file is not None
    for line in _leaving(bundle.contents(), out, sealed):
        print(line, flush=True)
    try:
        lock = make_lock(read_passphrase(passphrase_file, new=True)) if sealed else None
    except SealError as error:
        raise UserError(str(error)) from error
    bundle.write(out, per_persona=per_persona, needs=needs, lock=lock, records=data / RECORDS)
    print(
        f"\n{out} is packed ({out.stat().st_size / 1e6:.1f} MB). On the rented machine, where axolotl is installed:\n"
    )
    print(
        f"    tar -xf {out.name} && cd greenroom-bundle && bash run.sh --check && tmux new -s greenroom bash run.sh\n"
    )
    print(f"and at home: greenroom personas add result.{'sealed' if sealed else 'tar'}")


def _leaving(contents: Contents, out: Path, sealed: bool) -> Iterator[str]:
    """What goes into the bundle, for a person who has to decide whether it may."""
    names = ", ".join(contents.speakers)
    yield f"What leaves this machine in {out}:"
    yield (
        f"  {contents.train_lines:,} sessions to train on and {contents.eval_lines:,} held out, with "
        f"{contents.turns:,} turns: everything in them can be read there."
    )
    yield f"  Trained voices: {names}."
    if contents.redacted:
        yield f"  Redacted: {contents.redactions:,} times something was replaced (the set's card says what)."
    else:
        why = "its card says so" if contents.redacted is False else "it has no card that says otherwise"
        yield f"  WARNING: this set is NOT REDACTED ({why}): numbers, addresses and names go as they were written."
    if contents.base_bytes:
        yield f"  The base model {contents.base} ({contents.base_bytes / 1e6:.0f} MB); nothing is downloaded there."
    else:
        yield f"  Not the base model: {contents.base} is downloaded there from Hugging Face."
    if sealed:
        yield "  Encrypted: on the machine it lies in clear while it trains; `run.sh --wipe` removes it at the end."
    else:
        yield "  WARNING: NOT ENCRYPTED: whoever gets the file can read it. --encrypt asks for a passphrase."


def _estimate(bundle: Bundle, recipe: Recipe, data: Path, gpu: str | None, per_persona: bool) -> Needs:
    """Print what training takes on the card called `gpu`; what the machine must have.

    Without a name it is said for a card that no one named, which has no memory to be too small.
    """
    from persona.errors import UserError
    from persona.paths import models_dir
    from train.bundle.packing import Needs, on_cpu
    from train.bundle.planning import plan
    from train.dataset.tokens import ESTIMATE, TokenCounter, find_counter
    from train.devices import CARDS, named, processor
    from train.recipe import base_name
    from train.set_stats import stats_of
    from train.shape import read_config

    device = processor() if on_cpu(recipe) else named(gpu or "h100")
    config = read_config(recipe["base_model"], [bundle.base or models_dir(data) / base_name(recipe)])
    if config is None:
        print(f"No estimate: nothing is known here of {recipe['base_model']}. Put its config.json in data/models.")
        return Needs(gpu=not on_cpu(recipe), gpu_memory_gb=0, disk_gb=0)
    try:
        counter: TokenCounter = find_counter(str(bundle.recipe_path), data)
    except UserError:
        counter = ESTIMATE
    stats = stats_of(bundle.train, bundle.held_out, counter)
    planned = plan(
        recipe,
        config,
        stats,
        bundle.train,
        device,
        speakers=bundle.speakers if per_persona else [],
        joint=bundle.start_from is None,
        base_bytes=bundle.base_bytes,
    )
    if on_cpu(recipe):
        if gpu:
            print("This recipe trains on a processor; --gpu changes nothing.")
        print(
            f"Estimate: {_span(planned.seconds)} on a processor like this one, {planned.needs.disk_gb:.1f} GB of disk."
        )
    elif gpu is None:
        print(f"Estimate: {planned.needs.gpu_memory_gb:.0f} GB of GPU memory, {planned.needs.disk_gb:.0f} GB of disk.")
        print(f"How long on a card: --gpu NAME, one of {', '.join(CARDS)}.")
    else:
        for line in _said(planned, device):
            print(line)
    print(f"  ({stats.tokens:,} tokens an epoch, counted with {counter.name};")
    print("  take memory as right within a quarter, and time within a factor of two.)\n")
    return planned.needs


def _said(planned: Plan, device: Device) -> Iterator[str]:
    memory, capacity = planned.needs.gpu_memory_gb, device.memory / 1e9
    yield f"Estimate on {device}: {_span(planned.seconds)}, {memory:.0f} of {capacity:.0f} GB of its memory,"
    yield f"  {planned.needs.disk_gb:.0f} GB of disk, saved every {_span(planned.stages[0].seconds_between_saves)}."
    if not planned.fits:
        yield f"  WARNING: that does not fit {device}. Take a larger card, a smaller micro_batch_size or load_in_4bit."


def _span(seconds: float) -> str:
    if seconds <= 0:
        return "an unknown time"
    if seconds < 5400:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {seconds / 3600:.1f} hours"
