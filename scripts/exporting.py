"""What `greenroom personas export` writes: the adapter for one engine or another, or the model that it makes."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from persona.bases import gguf_path, weights_path
from persona.card import Persona
from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, models_dir


def check_out(out: Path, form: str) -> None:
    """See that there is nothing where the export will be, and a folder to write it in.

    Raises:
        UserError: there is something, or no folder.
    """
    if out.exists():
        raise UserError(f"{out} exists already.", "Choose another name.")
    if not out.resolve().parent.is_dir():
        raise UserError(f"there is no folder {out.parent} to write in.", "Make it first.")
    if form == "peft" and out.suffix in (".gguf", ".safetensors", ".zip"):
        raise UserError(f"{out} is to be a folder of two files.", "Choose a name without an ending.")


def as_gguf(persona: Persona, out: Path, data: Path) -> str:
    """Write the adapter as a GGUF file; what to say of it."""
    from persona.gguf_lora import convert

    convert(_adapter(persona), gguf_path(persona.card.base, data), out)
    out.chmod(PRIVATE_FILE_MODE)
    return f"{out} is written ({out.stat().st_size / 1e6:.1f} MB). It goes with the base {persona.card.base}."


def as_peft(persona: Persona, out: Path, data: Path) -> str:
    """Write the adapter as PEFT's folder; what to say of it."""
    from train.register import copy_adapter

    copy_adapter(_adapter(persona), persona.card.base, out)
    return f"{out} is written: a PEFT adapter of {persona.card.base}."


def as_merged(persona: Persona, out: Path, data: Path) -> str:
    """Write base and adapter as one model, a folder of safetensors or a GGUF file; what to say of it."""
    from persona.gguf_model import find_like, write_model

    base = weights_path(persona.card.base, data).resolve()
    if out.suffix != ".gguf":
        _merge(base, _adapter(persona), out)
        return f"{out} is written: {persona.card.base} as {persona.speaker}, for transformers and vLLM."
    with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=".merging-") as place:
        folder = Path(place) / persona.id
        _merge(base, _adapter(persona), folder)
        here = models_dir(data) / f"{base.name}.gguf"
        write_model(folder, here if here.is_file() else find_like(folder, models_dir(data)), out)
    return f"{out} is written ({out.stat().st_size / 1e6:.0f} MB): {persona.card.base} as {persona.speaker}."


FORMS: dict[str, Callable[[Persona, Path, Path], str]] = {"gguf": as_gguf, "peft": as_peft, "merged": as_merged}


def _adapter(persona: Persona) -> Path:
    if persona.adapter is None:
        raise UserError(
            f"{persona.id} has no adapter: it is the base model {persona.card.base} with a name.",
            "What there is to take along is that model, in data/models.",
        )
    return persona.adapter


def _merge(base: Path, adapter: Path, out: Path) -> None:
    from train.environment import training_environ, training_python

    python = training_python()
    command = [str(python), "-m", "train.merge", str(base), str(adapter.resolve()), str(out.resolve())]
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environ, stderr=subprocess.PIPE)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise UserError(f"{adapter} could not be merged into {base}: {last}.", "Does it belong to this base?")
