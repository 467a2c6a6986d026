"""`greenroom dataset`: write the training and evaluation sets from the message store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Data
from train.dataset_choices import Chats, Format, Media, Rule

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from train.dataset import TokenCounter, Written
    from train.dataset.options import Progress


WHOM, HOW, WHAT, SAFE = "Who is trained", "How it is cut and written", "What is left out", "Redaction"


def dataset(
    persona: Annotated[
        list[str] | None, typer.Option(help="A speaker to train; may be given several times.", rich_help_panel=WHOM)
    ] = None,
    everybody: Annotated[
        bool,
        typer.Option(
            "--all", help="Train everybody with --min-messages; so it is without --persona.", rich_help_panel=WHOM
        ),
    ] = False,
    one_each: Annotated[
        bool,
        typer.Option("--one-each", help="A set of its own for each persona, in SLUG/.", rich_help_panel=WHOM),
    ] = False,
    min_messages: Annotated[
        int, typer.Option(help="Messages a persona needs; only warns for --persona.", rich_help_panel=WHOM)
    ] = 1000,
    chats: Annotated[Chats, typer.Option(help="Which chats to use.", rich_help_panel=WHOM)] = Chats.BOTH,
    gap: Annotated[float, typer.Option(help="Minutes of silence that end a session.", rich_help_panel=HOW)] = 10.0,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The recipe that will be run: its length for --max-tokens, its base for --tokenizer.",
            rich_help_panel=HOW,
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            help="Cut sessions that are longer, at the borders of turns; 0 never.",
            show_default="the recipe's, or 1024",
            rich_help_panel=HOW,
        ),
    ] = None,
    overlap: Annotated[
        float,
        typer.Option(
            help="Share of a window that is context, where a session is cut. 1: all that fits, for every turn.",
            rich_help_panel=HOW,
        ),
    ] = 0.5,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Count tokens with this: a tokenizer.json, a model's folder, a base, or a recipe.",
            show_default="the recipe's, or an estimate",
            rich_help_panel=HOW,
        ),
    ] = None,
    pack: Annotated[
        int,
        typer.Option(help="Chunks of as many messages as fit in so many tokens, not sessions.", rich_help_panel=HOW),
    ] = 0,
    bubble_prefix: Annotated[
        str, typer.Option(help="Written before each message of a turn: '>>> '.", rich_help_panel=HOW)
    ] = "",
    context: Annotated[
        bool,
        typer.Option("--context", help="Begin with a system turn: who, where, day and hour.", rich_help_panel=HOW),
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", help="How a line is written.", rich_help_panel=HOW)
    ] = Format.SHAREGPT,
    eval_share: Annotated[
        float,
        typer.Option(help="Share of each chat, its newest sessions, held out for evaluation.", rich_help_panel=HOW),
    ] = 0.1,
    media: Annotated[
        Media,
        typer.Option(
            help="Write [photo], [sticker 😭], [voice message] for media, or leave them out.", rich_help_panel=WHAT
        ),
    ] = Media.KEEP,
    keep: Annotated[
        list[Rule] | None,
        typer.Option(help="Do not clean this out; may be given several times.", rich_help_panel=WHAT),
    ] = None,
    keep_short: Annotated[
        float,
        typer.Option(help="Share of somebody's boring replies (ok, busy) that are trained.", rich_help_panel=WHAT),
    ] = 1.0,
    redact: Annotated[
        bool,
        typer.Option(
            help="Replace numbers, addresses, links, codes and the names of people who are not in the set.",
            rich_help_panel=SAFE,
        ),
    ] = True,
    canaries: Annotated[
        int,
        typer.Option(
            help="Plant so many invented secrets for each persona; `greenroom audit` tells what became of them.",
            rich_help_panel=SAFE,
        ),
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.", show_default="DATA/dataset")] = None,
    seed: Annotated[int, typer.Option(help="For what is drawn: --keep-short, examples.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a dataset that is there.")] = False,
    data: Data = None,
) -> None:
    """Write train.jsonl, eval.jsonl, a card and a report from the message store."""
    from rich.console import Console

    from persona.errors import UserError
    from persona.paths import data_dir
    from train.dataset import FOLDER, Options, write_dataset
    from train.store import open_store

    if persona and everybody:
        raise UserError("--persona and --all exclude each other.", "Give one of them.")
    folder = data_dir(data)
    length, counter = _lengths(recipe, max_tokens, tokenizer, folder)
    options = Options(
        personas=tuple(persona or ()),
        one_each=one_each,
        gap_s=gap * 60,
        chats=chats,
        media=media,
        min_messages=min_messages,
        max_tokens=length,
        overlap=overlap,
        pack=pack,
        eval_share=eval_share,
        bubble_prefix=bubble_prefix,
        context=context,
        format=form,
        keep=tuple(sorted(set(keep or ()))),
        keep_short=keep_short,
        redact=redact,
        canaries=canaries,
        seed=seed,
    )
    console = Console()
    with open_store(folder, create=False) as store, _progress(console) as advance:
        sets = write_dataset(store, out or folder / FOLDER, options, counter=counter, force=force, progress=advance)
    _print(console, sets)


def _lengths(recipe: str | None, max_tokens: int | None, tokenizer: str | None, data: Path) -> tuple[int, TokenCounter]:
    """Return the length to cut to and what counts it, from the options and the recipe."""
    from train.dataset import ESTIMATE, find_counter
    from train.dataset.options import DEFAULT_MAX_TOKENS
    from train.recipe import find_recipe, read_recipe

    length = DEFAULT_MAX_TOKENS
    if recipe is not None:
        path = find_recipe(recipe)
        length = int(read_recipe(path).get("sequence_len", length))
        tokenizer = tokenizer or str(path)
    counter = find_counter(tokenizer, data) if tokenizer else ESTIMATE
    return length if max_tokens is None else max_tokens, counter


@contextmanager
def _progress(console: Console) -> Iterator[Progress | None]:
    """Show a bar for each stage, reading and then each set; on a terminal only."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(stage: str, total: int, count: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.advance(tasks[stage], count)

        yield advance


def _print(console: Console, sets: list[Written]) -> None:
    """Say what was written, what was left out and why, and what to look at."""
    from rich.markup import escape
    from rich.table import Table

    for written in sets:
        text = f"{written.folder}: {written.train_lines:,} sessions to train on, {written.eval_lines:,} held out"
        console.print(escape(text), soft_wrap=True)
        table = Table(box=None, pad_edge=False)
        table.add_column("persona")
        for column in ("messages", "held out"):
            table.add_column(column, justify="right")
        for speaker, count in sorted(written.trained.items(), key=lambda item: (-item[1], item[0])):
            table.add_row(escape(speaker), f"{count:,}", f"{written.evaluated[speaker]:,}")
        console.print(table)
        for what, counts in (("left out", written.dropped), ("replaced", written.redacted)):
            if counts:
                parts = ", ".join(
                    f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda one: -one[1])
                )
                console.print(escape(f"{what}: {parts}"), soft_wrap=True)
        if written.too_long:
            console.print(f"{written.too_long:,} turns are longer than --max-tokens and were left out")
        console.print(escape(f"look at {written.folder / 'report.html'}"), soft_wrap=True)
    for warning in dict.fromkeys(warning for written in sets for warning in written.warnings):
        console.print(escape(f"Note: {warning}"), soft_wrap=True)
