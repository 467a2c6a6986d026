"""`greenroom dataset`: write the training and evaluation sets from the message store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scripts.options import Data


class Chats(StrEnum):
    """Which chats a dataset is made of."""

    PERSONAL = "personal"
    GROUP = "group"
    BOTH = "both"


class Media(StrEnum):
    """What becomes of stickers, voice messages and pictures."""

    KEEP = "keep"
    DROP = "drop"


def dataset(
    persona: Annotated[list[str] | None, typer.Option(help="A speaker to train; may be given several times.")] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Train everybody with --min-messages; so it is without --persona.")
    ] = False,
    one_each: Annotated[
        bool, typer.Option("--one-each", help="A set of its own for each persona, in dataset/SLUG/.")
    ] = False,
    gap: Annotated[float, typer.Option(help="Minutes of silence that end a session.")] = 10.0,
    chats: Annotated[Chats, typer.Option(help="Which chats to use.")] = Chats.BOTH,
    media: Annotated[
        Media, typer.Option(help="Write [photo], [sticker 😭], [voice message] for media, or leave them out.")
    ] = Media.KEEP,
    min_messages: Annotated[int, typer.Option(help="Messages a persona needs; only warns for --persona.")] = 1000,
    max_tokens: Annotated[
        int | None, typer.Option(help="Cut sessions that are longer, at the borders of turns.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="A tokenizer.json to count tokens with, instead of an estimate.")
    ] = None,
    eval_share: Annotated[
        float, typer.Option(help="Share of each chat, its newest sessions, held out for evaluation.")
    ] = 0.1,
    bubble_prefix: Annotated[str, typer.Option(help="Written before each message of a turn: '>>> '.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a dataset that is there.")] = False,
    data: Data = None,
) -> None:
    """Write data/dataset/train.jsonl and eval.jsonl from the message store."""
    from rich.console import Console
    from rich.markup import escape

    from persona.errors import UserError
    from persona.paths import data_dir
    from train.dataset import FOLDER, Options, estimated_tokens, exact_counter, write_dataset
    from train.store import open_store

    if persona and everybody:
        raise UserError("--persona and --all exclude each other.", "Give one of them.")
    options = Options(
        personas=tuple(persona or ()),
        one_each=one_each,
        gap_s=gap * 60,
        chats=chats.value,
        media=media.value,
        min_messages=min_messages,
        max_tokens=max_tokens,
        eval_share=eval_share,
        bubble_prefix=bubble_prefix,
    )
    count_tokens = exact_counter(tokenizer) if tokenizer else estimated_tokens
    folder = data_dir(data)
    with open_store(folder, create=False) as store:
        sets = write_dataset(store, folder / FOLDER, options, count_tokens=count_tokens, force=force)
    console = Console()
    for written in sets:
        text = f"{written.folder}: {written.train_lines:,} sessions to train on, {written.eval_lines:,} held out"
        console.print(escape(text), soft_wrap=True)
        for speaker, count in sorted(written.trained.items(), key=lambda item: (-item[1], item[0])):
            console.print(escape(f"  {speaker}: {count:,} messages, {written.evaluated[speaker]:,} held out"))
        if written.too_long:
            console.print(f"  {written.too_long:,} turns are longer than --max-tokens and were left out")
    for warning in dict.fromkeys(warning for written in sets for warning in written.warnings):
        console.print(escape(f"Note: {warning}"), soft_wrap=True)
