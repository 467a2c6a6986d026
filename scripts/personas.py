"""`greenroom personas`: who can be served; add, remove, go back to an earlier version, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from scripts.options import Data

personas = typer.Typer(name="personas", help="Personas: list, add, remove, go back, export.", no_args_is_help=False)


@personas.callback(invoke_without_command=True)
def list_personas(context: typer.Context, data: Data = None) -> None:
    """List the personas, and what is wrong with those that cannot be served."""
    if context.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Table

    from persona.card import load_personas
    from persona.paths import data_dir, personas_dir

    folder = personas_dir(data_dir(data))
    found, broken = load_personas(folder)
    if not found and not broken:
        print(f"No personas in {folder}. `greenroom train` makes them; `greenroom demo` shows the sample cast.")
        return
    table = Table("id", "version", "speaker", "base", "adapter", "held-out loss")
    for persona in found:
        made_by = persona.card.made_by
        loss = made_by.get("held_out_loss", "")
        base = made_by.get("held_out_loss_base", "")
        table.add_row(
            persona.id,
            str(persona.card.version or 1),
            persona.speaker,
            persona.card.base,
            "yes" if persona.adapter else "none",
            f"{loss} (base {base})" if loss else "",
        )
    console = Console()
    console.print(table)
    for error in broken:
        console.print(f"broken: {error}", markup=False)


@personas.command()
def add(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|FILE",
            help="A persona's folder (persona.toml, and adapter/ if it has one), a zip file of such folders, or the "
            "result that a bundle's run.sh packed.",
        ),
    ],
    dataset: Annotated[
        Path | None,
        typer.Option(
            help="A result: the set it was made of, if its bundle left elsewhere.", show_default="DATA/dataset"
        ),
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="A sealed result: the file whose first line is the passphrase.")
    ] = None,
    data: Data = None,
) -> None:
    """Add personas from elsewhere, after a look whether they are whole. One with the same id gets a new version."""
    from persona.paths import data_dir
    from scripts.adding import add_folder, add_result, add_zip
    from train.bundle.result import is_result

    path, home = path.expanduser(), data_dir(data)
    if path.suffix.lower() == ".zip":
        added = add_zip(path, home)
    elif is_result(path):
        added = add_result(path, home, dataset or home / "dataset", passphrase_file)
    else:
        added = [add_folder(path, home)]
    for persona in added:
        print(f"{persona.speaker} is now the persona {persona.id}, version {persona.card.version}.")


@personas.command()
def remove(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Whom to remove.")],
    data: Data = None,
) -> None:
    """Stop serving a persona. Its folder is moved to .previous, from where `add` brings it back."""
    from train.register import keep_previous

    kept = keep_previous(*_existing(identity, data))
    print(f"{identity} is no longer served; its folder is {kept}.")


@personas.command()
def rollback(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Whose version to change.")],
    to: Annotated[int | None, typer.Option(help="The version to serve.", show_default="the one before")] = None,
    data: Data = None,
) -> None:
    """Serve an earlier version of a persona that was trained or added again; with --to, any. Nothing is removed."""
    from train.register import rollback as back

    folder, _ = _existing(identity, data)
    persona = back(folder / identity, to)
    print(f"{identity} is at version {persona.card.version} from the next start of `greenroom serve` on.")


@personas.command()
def export(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Whom to export.")],
    out: Annotated[
        Path, typer.Argument(help="The file (gguf; merged into a name that ends in .gguf) or folder to write.")
    ],
    form: Annotated[
        Literal["gguf", "peft", "merged"],
        typer.Option(
            "--format",
            help="The adapter for llama.cpp and Ollama; the adapter for transformers and vLLM; or base and adapter "
            "as one model.",
        ),
    ] = "gguf",
    data: Data = None,
) -> None:
    """Write a persona's adapter, or the model that it makes of its base, for other tools."""
    from persona.card import load_persona
    from persona.paths import data_dir
    from scripts.exporting import FORMS, check_out

    folder, _ = _existing(identity, data)
    persona = load_persona(folder / identity)
    check_out(out, form)
    print(FORMS[form](persona, out, data_dir(data)))


def _existing(identity: str, data: Path | None) -> tuple[Path, str]:
    """The personas' folder and the id, once it is sure that there is such a persona."""
    from persona.card import CARD_NAME
    from persona.errors import UserError
    from persona.paths import data_dir, personas_dir

    folder = personas_dir(data_dir(data))
    there = sorted(path.parent.name for path in folder.glob(f"*/{CARD_NAME}"))
    if identity not in there:
        names = f"There are: {', '.join(there)}." if there else f"There are none in {folder}."
        raise UserError(f"there is no persona {identity!r}.", names)
    return folder, identity
