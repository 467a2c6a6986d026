"""`greenroom sweep RECIPE`: try a recipe with other settings and table the held-out loss of each persona."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.options import Data

if TYPE_CHECKING:
    from train.sweep import Trial


def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe that makes adapters: a name in axolotl_configs/, or a path.")],
    values: Annotated[
        str, typer.Argument(metavar="SWEEP", help="What to try: a name in axolotl_configs/sweeps/, or a path.")
    ] = "lora",
    only_list: Annotated[bool, typer.Option("--list", help="Show the runs there would be, and start none.")] = False,
    dataset: Annotated[
        Path | None, typer.Option(help="Folder with train.jsonl and eval.jsonl.", show_default="DATA/dataset")
    ] = None,
    data: Data = None,
) -> None:
    """Run every combination of a sweep with axolotl, and say how well each foresees each person.

    Nothing is registered. Everything it reads and writes is under DATA/runs; the best adapter's folder is printed.
    """
    from persona.bases import weights_path
    from persona.paths import data_dir
    from train.recipe import base_name, find_recipe, read_recipe
    from train.sweep import find_sweep, read_sweep, run_sweep, sweep_dir, trials_of
    from train.training import read_set, speakers_of

    folder = data_dir(data).resolve()
    path, tried = find_recipe(recipe), find_sweep(values).resolve()
    settings = read_recipe(path)
    read_sweep(tried)
    if only_list:
        _print(trials_of(tried, Path()), {}, [])
        return
    sets = (dataset or folder / "dataset").resolve()
    speakers = speakers_of(sets)
    read_set(sets / "eval.jsonl")
    base = weights_path(base_name(settings), folder).resolve()
    run = sweep_dir(folder, path)
    print(f"{len(trials_of(tried, run))} runs of {path.stem} in {run}.", flush=True)
    trials, of_base = run_sweep(settings, tried, base, sets, run)
    _print(trials, of_base, speakers)
    best = trials[0]
    print(f"Best on average: {best.name}, {_text(best.settings)}.")
    print(f"Its adapter: {best.adapter}")
    print("Put its settings into a recipe of your own, or take it as it is: greenroom train RECIPE --from FOLDER")


def _print(trials: list[Trial], of_base: dict[str, float], speakers: list[str]) -> None:
    """A row a run, best first; the lowest loss of each speaker is bold."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    keys = list(dict.fromkeys(key for trial in trials for key in trial.settings))
    scored = [speaker for speaker in speakers if speaker in of_base]
    table = Table("run", *keys, *map(escape, scored), *(["mean"] if scored else []))
    if scored:
        table.title = "Held-out loss, nats per token (lower is better)"
        mean = sum(of_base[speaker] for speaker in scored) / len(scored)
        table.add_row("base", *("" for _ in keys), *(f"{of_base[speaker]:.3f}" for speaker in scored), f"{mean:.3f}")
    lowest = {speaker: min(trial.losses.get(speaker, float("inf")) for trial in trials) for speaker in scored}
    for trial in trials:
        cells = [escape(_short(trial.settings.get(key))) for key in keys]
        for speaker in scored:
            loss = trial.losses.get(speaker)
            text = "failed" if loss is None else f"{loss:.3f}"
            cells.append(f"[bold]{text}[/bold]" if loss == lowest[speaker] else text)
        if scored:
            cells.append(f"{trial.mean:.3f}" if trial.losses else "-")
        table.add_row(trial.name, *cells)
    Console().print(table)


def _text(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in settings.items())


def _short(value: Any) -> str:
    """A setting as it fits in a table: layers without what all of them end with."""
    if isinstance(value, list):
        return " ".join(str(item).removesuffix("_proj") for item in value)
    return "" if value is None else str(value)
