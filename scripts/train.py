"""`greenroom train RECIPE`: run axolotl on a recipe and register the personas it made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Data

if TYPE_CHECKING:
    from persona.card import Context


def train(
    recipe: Annotated[str, typer.Argument(help="A name in axolotl_configs/, or the path of a file.")],
    per_persona: Annotated[
        bool,
        typer.Option(help="An adapter for each speaker, going on from the joint one; otherwise they share it."),
    ] = False,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", help="A joint adapter made before, instead of training one now."),
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Folder with train.jsonl and eval.jsonl.", show_default="DATA/dataset")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Train elsewhere: pack everything into this file for a rented GPU.")
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(help="With --bundle: the card it is to run on (rtx3090, a100-80, h100, …).")
    ] = None,
    encrypt: Annotated[bool, typer.Option("--encrypt", help="With --bundle: seal it; asks for a passphrase.")] = False,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="With --bundle: seal it with the passphrase in this file's first line.")
    ] = None,
    data: Data = None,
) -> None:
    """Train personas with axolotl: one adapter for everyone, or one each, and say how well each foresees its person.

    Everything a run reads and writes is under DATA/runs. A persona that exists already is kept in
    DATA/personas/.previous.
    """
    from persona.bases import weights_path
    from persona.paths import data_dir, personas_dir
    from train.recipe import base_name, find_recipe, read_recipe
    from train.register import context_of
    from train.training import held_out, read_set, run_dir, speakers_of, train_joint, train_own

    folder = data_dir(data).resolve()
    path = find_recipe(recipe)
    sets = (dataset or folder / "dataset").resolve()
    if bundle:
        from scripts.bundle import pack

        start = start_from.resolve() if start_from else None
        return pack(path, sets, folder, bundle, per_persona, start, gpu, encrypt, passphrase_file)
    settings = read_recipe(path)
    speakers = speakers_of(sets)
    read_set(sets / "eval.jsonl")
    context = context_of(sets)  # before the hours of training, since it can be broken
    base = weights_path(base_name(settings), folder).resolve()
    run = run_dir(folder, path)
    print(f"Training {', '.join(speakers)} in {run}.", flush=True)
    joint = start_from.resolve() if start_from else train_joint(settings, base, sets, run)
    adapters = {
        speaker: train_own(settings, base, sets, joint, speaker, run) if per_persona else joint for speaker in speakers
    }
    losses = held_out(base, sets / "eval.jsonl", adapters, run / "scores.json")
    _register(speakers, adapters, losses, context, base.name, path.stem, personas_dir(folder), folder)
    _print(speakers, losses)


def _register(
    speakers: list[str],
    adapters: dict[str, Path],
    losses: dict[str, dict[str, float]],
    context: Callable[[str], Context | None],
    base: str,
    recipe: str,
    personas: Path,
    data: Path,
) -> None:
    import datetime

    from persona.card import Card, Sampling
    from train.register import register

    owner = _owner(data)
    for speaker in speakers:
        made_by: dict[str, str | int | float] = {
            "recipe": recipe,
            "day": datetime.date.today().isoformat(),
        }
        if speaker in losses["base"]:
            made_by["held_out_loss_base"] = round(losses["base"][speaker], 3)
            made_by["held_out_loss"] = round(losses[speaker][speaker], 3)
        card = Card(
            speaker=speaker,
            base=base,
            owner=owner,
            interlocutor="" if speaker != owner else next((s for s in speakers if s != owner), ""),
            context=context(speaker),
            sampling=Sampling(temperature=0.8, min_p=0.08, repetition_penalty=1.05, max_tokens=200),
            made_by=made_by,
        )
        persona = register(adapters[speaker], card, personas)
        print(f"{speaker} is now the persona {persona.id}.")


def _owner(data: Path) -> str:
    """The owner's speaker name from the store, or nothing where there is no store."""
    from train.people import people
    from train.store import open_store

    if not (data / "messages.db").is_file():
        return ""
    with open_store(data) as store:
        return next((person.speaker for person in people(store.db) if person.is_owner), "")


def _print(speakers: list[str], losses: dict[str, dict[str, float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("speaker", "base", "persona", "change", title="Held-out loss, nats per token (lower is better)")
    for speaker in speakers:
        if speaker in losses["base"]:
            base, own = losses["base"][speaker], losses[speaker][speaker]
            table.add_row(speaker, f"{base:.3f}", f"{own:.3f}", f"{own - base:+.3f}")
        else:
            table.add_row(speaker, "-", "-", "nothing held out")
    Console().print(table)
