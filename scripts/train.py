"""`greenroom train RECIPE`: check, estimate, run axolotl, and register the personas it made."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.options import Data

if TYPE_CHECKING:
    from train.losses import Curve
    from train.preparation import Preparation
    from train.runs import Run

INTERRUPTED = 130


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A name in axolotl_configs/, or the path of a file; with --resume, a run.")
    ] = None,
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
    check: Annotated[bool, typer.Option("--check", help="Only check and estimate; nothing is trained.")] = False,
    gpu: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --check or --bundle: estimate for this card (rtx3090, 8xa100-80, …)."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped; without a name, the newest.")
    ] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Start although a check says that it will not do.")] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="Train elsewhere: pack everything into this file, for a rented GPU.")
    ] = None,
    encrypt: Annotated[bool, typer.Option("--encrypt", help="With --bundle: seal it; asks for a passphrase.")] = False,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="With --bundle: seal it with the passphrase in this file's first line.")
    ] = None,
    data: Data = None,
) -> None:
    """Train personas with axolotl: one adapter for everyone, or one each, and say how well each foresees its person.

    It checks and estimates first. Everything a run reads and writes is under DATA/runs, and a run that was stopped
    goes on with --resume. A persona that exists already gets a new version; nothing is replaced.
    """
    from persona.errors import UserError
    from persona.paths import data_dir
    from train.preparation import prepare, resumed

    folder = data_dir(data).resolve()
    if bundle and recipe:
        from scripts.bundle import pack

        sets, start = (dataset or folder / "dataset").resolve(), start_from.resolve() if start_from else None
        return pack(recipe, sets, folder, bundle, per_persona, start, gpu, encrypt, passphrase_file)
    if gpu and not check:
        raise UserError("--gpu estimates for a card that is not here.", "Give --check or --bundle with it.")
    if resume:
        ready = resumed(folder, recipe)
    elif recipe is None:
        raise UserError("which recipe?", "`greenroom train RECIPE`; `--resume` goes on with a run.")
    else:
        sets = (dataset or folder / "dataset").resolve()
        ready = prepare(folder, recipe, sets, per_persona, start_from.resolve() if start_from else None, gpu)
    for line in ready.lines():
        print(line, flush=True)
    if check:
        if ready.stopped and not gpu:
            raise ready.stopped
        return
    if ready.stopped and not anyway:
        raise ready.stopped
    _run(ready, ready.run or ready.new_run())


def _run(ready: Preparation, run: Run) -> None:
    from train.outcome import curves_of, draw, register_run, write_summary
    from train.register import context_of
    from train.schedule import Stopped
    from train.training import held_out, results_of, train_stages

    plan = run.plan
    context = context_of(Path(plan.dataset))  # before the hours of training, since it can be broken
    # A closed terminal and a polite kill are as good as Ctrl+C: save, and say how to go on.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    print(f"Training {', '.join(plan.speakers)} in {run.folder}.", flush=True)
    with run.locked() as lock:
        try:
            train_stages(run, ready.recipe, ready.counter, lock, ready.cards)
            evaluation = Path(plan.dataset) / "eval.jsonl"
            four_bit = bool(ready.recipe.get("load_in_4bit"))
            scores = run.folder / "scores.json"
            losses = held_out(Path(plan.base), evaluation, results_of(run), scores, four_bit=four_bit)
        except KeyboardInterrupt as error:
            saved = f"{error} " if isinstance(error, Stopped) else ""
            print(f"\nStopped. {saved}Go on with: greenroom train --resume {run.name}", file=sys.stderr, flush=True)
            raise typer.Exit(INTERRUPTED) from None
        personas = register_run(run, losses, ready.versions, ready.data, owner=_owner(ready.data), context=context)
        curves = curves_of(run)
        picture = draw(run)
        _print_curves(run, curves)
        _print_losses(plan.speakers, losses)
        without = "There is no picture of the curves: pip install matplotlib beside axolotl."
        print(f"The curves are drawn in {picture}." if picture else without)
        for persona in personas:
            print(f"{persona.speaker} is now the persona {persona.id}, version {persona.card.version}.")
        write_summary(run, losses, personas)


def _owner(data: Path) -> str:
    """The owner's speaker name from the store, or nothing where there is no store."""
    from train.people import people
    from train.store import open_store

    if not (data / "messages.db").is_file():
        return ""
    with open_store(data) as store:
        return next((person.speaker for person in people(store.db) if person.is_owner), "")


def _print_curves(run: Run, curves: Mapping[str, Curve]) -> None:
    """The table of stages, and the first one's curve."""
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from train.outcome import stage_row
    from train.plots import terminal

    table = Table("stage", "minutes", "steps", "tokens/s", "loss", "held out", title="Training")
    for stage in run.stages:
        table.add_row(*stage_row(stage, curves[stage.name]))
    Console().print(table)
    first: dict[str, Any] = {name: msgspec.to_builtins(curve) for name, curve in list(curves.items())[:1]}
    print(terminal(first))


def _print_losses(speakers: list[str], losses: Mapping[str, Mapping[str, float]]) -> None:
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
