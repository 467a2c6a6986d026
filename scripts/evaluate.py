"""`greenroom evaluate`: do the personas sound like the people they are of?"""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.options import Data

if TYPE_CHECKING:
    from rich.console import Console

    from persona.card import Persona
    from train.evaluation.replies import Context
    from train.evaluation.results import Results

FOLDER = "evaluation"
SECONDS_A_REPLY = 1.0
"""What a reply of a base like the one that comes along takes on two cores that are free."""


class Part(StrEnum):
    """What is measured."""

    LIKELIHOOD = "likelihood"
    VOICES = "voices"
    STYLE = "style"


def evaluate(
    persona: Annotated[list[str] | None, typer.Argument(help="Whom; everybody without.", show_default=False)] = None,
    personas: Annotated[Path | None, typer.Option(help="Folder of personas.", show_default="those of --data")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="The set they were trained on.", show_default="DATA/dataset")
    ] = None,
    part: Annotated[
        list[Part] | None, typer.Option(help="Only this; may be given several times.", show_default="all")
    ] = None,
    replies: Annotated[
        int, typer.Option("--replies", "-n", help="Replies that each persona is asked for.", min=4)
    ] = 100,
    url: Annotated[
        str | None,
        typer.Option(help="An endpoint that serves them, for their replies; the base is left out then."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write to.", show_default="DATA/evaluation/latest")
    ] = None,
    data: Data = None,
) -> None:
    """Measure personas on the held-out set: likelihood, who wrote this, style. Writes a page and its numbers.

    A run that was stopped goes on where it was: what is done is kept in the folder, and not done again.
    """
    from rich.console import Console

    from persona.audit import adapter_sha256
    from persona.paths import data_dir, make_private_dir, personas_dir
    from scripts.audit import chosen_personas
    from train.dataset import FOLDER as SETS
    from train.evaluation.report import write_report
    from train.evaluation.results import Results, write_results
    from train.runs import set_sha256
    from train.training import read_set

    console = Console()
    folder = data_dir(data)
    sets = dataset or folder / SETS
    cast = personas or personas_dir(folder)
    train, held_out = read_set(sets / "train.jsonl"), read_set(sets / "eval.jsonl")
    chosen = chosen_personas(cast, persona, {turn["from"] for one in train for turn in one if turn["train"]})
    parts = set(part or Part)
    to = make_private_dir(out or folder / FOLDER / "latest")
    asks = bool(parts - {Part.LIKELIHOOD})
    results = Results(
        set_sha256(sets), seed, replies if asks else 0, {one.speaker: adapter_sha256(one) for one in chosen}
    )
    for one in chosen:
        if one.card.made_by.get("dataset_sha256", results.dataset_sha256) != results.dataset_sha256:
            results.notes.append(f"{one.id} was trained on another set: some of what is held out here it may have seen")
    if Part.LIKELIHOOD in parts:
        _likelihood(console, chosen, folder, sets, to, results)
        _print_likelihood(console, results)
    if asks:
        _replies(console, chosen, folder, cast, url, (train, held_out), parts, to, results)
    numbers, page = write_results(to, results), write_report(to, results)
    for note in results.notes:
        console.print(f"Note: {note}", markup=False, soft_wrap=True)
    console.print(f"look at {page}; the numbers are in {numbers}", markup=False, soft_wrap=True)


def _likelihood(console: Console, chosen: list[Persona], data: Path, sets: Path, to: Path, results: Results) -> None:
    from persona.bases import weights_path
    from train.evaluation.likelihood import Table, table_of
    from train.evaluation.results import kept
    from train.training import scored

    bases = {one.card.base for one in chosen}
    if len(bases) > 1:
        results.notes.append(f"likelihood needs one base, and these have {', '.join(sorted(bases))}")
        return
    with_adapter = {str(one.adapter): one for one in chosen if one.adapter is not None}
    base = weights_path(bases.pop(), data)

    def make() -> Table:
        _print_estimate(console, base, sets, 1 + len(with_adapter))
        scores = scored(base, sets / "eval.jsonl", [Path(one) for one in with_adapter], to / "scores.json", False)
        (to / "scores.json").unlink()
        return table_of(scores, {path: one.speaker for path, one in with_adapter.items()})

    made_from = (results.dataset_sha256, base.name, results.personas)
    results.likelihood = kept(to, "likelihood", made_from, Table, make)


def _print_estimate(console: Console, base: Path, sets: Path, models: int) -> None:
    """Say how long the likelihoods may take: two operations a parameter and token, at half of numpy's speed here."""
    from train.devices import cards_here, matmul_tflops

    if cards_here():
        return
    parameters = sum(path.stat().st_size for path in base.glob("*.safetensors")) / 2
    tokens = (sets / "eval.jsonl").stat().st_size / 4
    minutes = models * (20 + 2 * parameters * tokens / (0.5e12 * matmul_tflops())) / 60
    console.print(f"likelihood: {models} models over about {tokens:,.0f} tokens, about {minutes:.0f} minutes")


def _replies(
    console: Console,
    chosen: list[Persona],
    data: Path,
    cast: Path,
    url: str | None,
    conversations: tuple[Any, Any],
    parts: set[Part],
    to: Path,
    results: Results,
) -> None:
    from scripts.endpoint import endpoint
    from train.evaluation.audit import values_of
    from train.evaluation.replies import contexts_of, drawn
    from train.evaluation.results import Sides, kept
    from train.evaluation.style import Difference, differences
    from train.evaluation.voices import Voices

    train, held_out = conversations
    contexts = {one.speaker: contexts_of(held_out, one.speaker, "held out") for one in chosen}
    for one in [one for one in chosen if not contexts[one.speaker]]:
        results.notes.append(f"{one.speaker} has no held-out replies")
        chosen = [other for other in chosen if other is not one]
    bases = {} if url else _bases(chosen, to / "base")
    total = results.replies * (len(chosen) + len(bases))
    console.print(f"{total:,} replies, about {total * SECONDS_A_REPLY / 60:.0f} minutes where nothing else runs")
    wanted = {one.speaker: drawn(contexts[one.speaker], results.replies, results.seed) for one in chosen}
    made: dict[str, list[str]] = {}
    plain: dict[str, list[str]] = {}
    with nullcontext(url) if url else endpoint([cast, to / "base"], data) as at:
        for one in chosen:
            made[one.speaker] = _asked(console, one, wanted[one.speaker], at, to, results.seed)
            if one.speaker in bases:
                plain[one.speaker] = _asked(console, bases[one.speaker], wanted[one.speaker], at, to, results.seed)
    texts = {one.speaker: values_of(train, one.speaker) for one in chosen}
    everybody = sorted({turn["from"] for talk in train for turn in talk if turn["train"]})
    real = {speaker: [context.real for context in contexts[speaker]] for speaker in made}
    made_from = (results.dataset_sha256, results.seed, results.personas, made, plain)
    if Part.VOICES in parts and len(everybody) > 1:

        def voices() -> dict[str, Sides]:
            known = Voices({one: texts.get(one) or values_of(train, one) for one in everybody}, results.seed)
            return {
                one: Sides(
                    known.taken(one, real[one]),
                    known.taken(one, made[one]),
                    known.taken(one, plain[one]) if one in plain else None,
                )
                for one in made
            }

        results.voices = kept(to, "voices", made_from, dict[str, Sides], voices)
        _print_voices(console, results)
    elif Part.VOICES in parts:
        results.notes.append("who wrote this is not asked: nobody else is in the set")
    if Part.STYLE in parts:
        results.style = kept(
            to,
            "style",
            made_from,
            dict[str, list[Difference]],
            lambda: {one: differences(real[one], made[one], plain.get(one), results.seed) for one in made},
        )
        _print_style(console, results)


def _bases(chosen: list[Persona], folder: Path) -> dict[str, Persona]:
    """A card without an adapter for each persona that has one: the base under the same name."""
    import msgspec

    from persona.card import write_card

    return {
        one.speaker: write_card(
            folder / f"{one.id}-base", msgspec.structs.replace(one.card, version=0, made_by={}, about="")
        )
        for one in chosen
        if one.adapter is not None
    }


def _asked(console: Console, persona: Persona, contexts: list[Context], url: str, to: Path, seed: int) -> list[str]:
    from scripts.audit import progress
    from train.evaluation.replies import Reply, asked

    wanted = [Reply(context, None, seed + place) for place, context in enumerate(contexts)]
    with progress(console, f"asking {persona.id}") as told:
        answers = asked(persona, wanted, url, to / f"replies-{persona.id}.jsonl", told=told)
    return [answer.text for answer in answers]


def _print_likelihood(console: Console, results: Results) -> None:
    from rich.markup import escape
    from rich.table import Table

    from train.evaluation.likelihood import BASE, best_adapter

    if results.likelihood is None:
        return
    models = [BASE, *(model for model in results.likelihood if model != BASE)]
    table = Table(title="nats a token: text of (row) under (column)", box=None, pad_edge=False)
    table.add_column("")
    for model in models:
        table.add_column(escape(model), justify="right")
    table.add_column("bits a byte: base, own", justify="right")
    for speaker, base in results.likelihood[BASE].items():
        best = best_adapter(results.likelihood, speaker)
        cells = []
        for model in models:
            cell = results.likelihood[model].get(speaker)
            text = f"{cell.nats_a_token:.3f}" if cell else "-"
            cells.append(f"[bold]{text}[/]" if model == best else text)
        own = results.likelihood.get(speaker, {}).get(speaker)
        both = f"{base.bits_a_byte:.3f}, {own.bits_a_byte:.3f}" if own else f"{base.bits_a_byte:.3f}, -"
        table.add_row(escape(speaker), *cells, both)
    console.print(table)


def _print_voices(console: Console, results: Results) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="taken for the person it should be of", box=None, pad_edge=False)
    for column in ("", "really theirs", "the persona", "the base"):
        table.add_column(column, justify="right" if column else "left")
    for speaker, sides in results.voices.items():
        shown = [
            f"{side.share:.0%} of {side.replies}" if side else "-" for side in (sides.real, sides.persona, sides.base)
        ]
        table.add_row(escape(speaker), *shown)
    console.print(table)


def _print_style(console: Console, results: Results) -> None:
    from rich.markup import escape
    from rich.table import Table

    for speaker, rows in results.style.items():
        table = Table(title=escape(speaker), box=None, pad_edge=False)
        for column in ("distance from real replies", "floor", "persona", "base"):
            table.add_column(column, justify="right" if column != "distance from real replies" else "left")
        for row in rows:
            base = "-" if row.base is None else f"{row.base:.2f}"
            table.add_row(row.what, f"{row.floor:.2f}", f"{row.distance:.2f}", base)
        console.print(table)
