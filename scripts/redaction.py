"""`greenroom redaction`: what would be replaced in a text, and what stand-ins in one stand for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Data

if TYPE_CHECKING:
    from train.redaction import RedactionKey, Span

redaction = typer.Typer(
    name="redaction", help="Redaction: what would be replaced, what a stand-in stands for.", no_args_is_help=True
)
Text = Annotated[str | None, typer.Argument(metavar="TEXT", help="What to look at; read from the input without it.")]


@redaction.command()
def reveal(text: Text = None, data: Data = None) -> None:
    """Print a text with the stand-ins in it turned back, as far as the key keeps what they stand for."""
    from train.redaction import reveal as turned_back

    print(turned_back(_existing_key(data), _given(text)))


@redaction.command()
def show(text: Text = None, data: Data = None) -> None:
    """Print a text with what would be replaced in colour, each with its kind. Names are everybody's in the store."""
    from rich.console import Console
    from rich.text import Text as Coloured

    from train.redaction import KINDS

    line = Coloured()
    given = _given(text)
    at = 0
    colours = ("cyan", "green", "magenta", "yellow", "red", "blue")
    for span in _spans(given, data):
        style = f"bold {colours[KINDS.index(span.kind) % len(colours)]}"
        line.append(given[at : span.start]).append(span.value, style).append(f"[{span.kind}]", "dim")
        at = span.end
    # soft_wrap: what is piped on has no line ends of the terminal's.
    Console(highlight=False).print(line.append(given[at:]), soft_wrap=True)


def _spans(text: str, data: Path | None) -> list[Span]:
    from persona.paths import data_dir
    from train.redaction import FILE_NAME, RedactionKey, Redactor, known_people, open_key
    from train.store import FILE_NAME as STORE_NAME
    from train.store import open_store

    folder = data_dir(data)
    key = open_key(folder) if (folder / FILE_NAME).exists() else RedactionKey(None, b"0" * 32)
    if not (folder / STORE_NAME).exists():
        return Redactor(key, hidden=[], shown=[], forgotten=None).spans(text)
    with open_store(folder, create=False) as store:
        everybody = known_people(store.db)
        return Redactor(key, hidden=everybody, shown=[], forgotten=store.forgotten.has_name).spans(text)


def _existing_key(data: Path | None) -> RedactionKey:
    from persona.errors import UserError
    from persona.paths import data_dir
    from train.redaction import FILE_NAME, open_key

    folder = data_dir(data)
    if not (folder / FILE_NAME).exists():
        raise UserError(
            f"{folder / FILE_NAME} is not there, so nothing was given a stand-in.",
            "`greenroom dataset` makes it; choose the private folder with --data.",
        )
    return open_key(folder)


def _given(text: str | None) -> str:
    return sys.stdin.read().removesuffix("\n") if text is None else text
