"""`greenroom doctor`: what is installed, what is missing, what to do."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.options import Data

Finding = tuple[str, bool, str, str]
"""What was looked at, whether it is there, what was found, and what to do if it is not."""


def doctor(data: Data = None) -> None:
    """Show what is installed, what is missing, and what to do about it. Changes nothing, contacts nobody."""
    from rich.console import Console
    from rich.table import Table

    from persona.paths import data_dir

    table = Table("", "what", "found", "if you need it")
    for what, there, found, todo in _look(data_dir(data)):
        table.add_row("[green]✓[/green]" if there else "[yellow]–[/yellow]", what, found, "" if there else todo)
    Console().print(table)


def _look(data: Path) -> Iterator[Finding]:
    from persona.bases import DEFAULT
    from persona.card import load_personas
    from persona.paths import models_dir, personas_dir

    python = ".".join(map(str, sys.version_info[:3]))
    yield "Python", sys.version_info >= (3, 11), python, "Greenroom needs 3.11 or newer."
    gguf = models_dir(data) / f"{DEFAULT}.gguf"
    size = f"{gguf.stat().st_size / 1e6:.0f} MB" if gguf.is_file() else "missing"
    yield "base model (GGUF)", gguf.is_file(), size, f"greenroom model fetch {DEFAULT}"
    weights = models_dir(data) / DEFAULT
    converted = (weights / "config.json").is_file()
    todo = f"For training and vLLM: greenroom model convert {DEFAULT}"
    yield "base model (safetensors)", converted, "in place" if converted else "missing", todo
    yield _engine()
    for what, folder, todo in (
        ("axolotl", ".venv-train", "To train: make setup-train"),
        ("vLLM", ".venv-vllm", "To serve with vLLM: make setup-vllm"),
    ):
        there = (Path(folder) / "bin" / "python").is_file()
        yield what, there, folder if there else "not installed", todo
    store = data / "messages.db"
    yield "message store", store.is_file(), str(store) if store.is_file() else "none yet", "greenroom import PATH"
    found, broken = load_personas(personas_dir(data))
    names = ", ".join(persona.id for persona in found) or "none yet"
    yield "personas", bool(found), names, "greenroom train RECIPE, or `greenroom demo` for the sample cast"
    for error in broken:
        yield "broken persona", False, error.message, error.hint
    yield _privacy(data)


def _engine() -> Finding:
    try:
        version = importlib.metadata.version("xllamacpp")
        importlib.import_module("xllamacpp")
    except ImportError as error:
        return "llama.cpp", False, f"does not load: {error}", "make setup"
    return "llama.cpp (xllamacpp)", True, version, ""


def _privacy(data: Path) -> Finding:
    """The private folder is for its owner's eyes; other users of the machine must not read in it."""
    if not data.exists():
        return "private folder", True, f"{data} (not made yet)", ""
    open_to_others = bool(data.stat().st_mode & 0o077)
    return "private folder", not open_to_others, str(data), f"Others on this machine can read it: chmod 700 {data}"
