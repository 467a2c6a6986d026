"""Make a persona of a trained adapter: its folder under `data/personas`, with a card that says how it was made."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from persona.card import ADAPTER_DIR, ADAPTER_WEIGHTS, Card, Context, Persona, load_persona, write_card
from persona.errors import UserError
from persona.gguf_lora import read_config, read_weights
from persona.names import slug
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.dataset.card import NAME as DATASET_CARD

PREVIOUS = ".previous"

# What an engine reads of PEFT's configuration. The rest is about training, and holds paths of this machine.
_CONFIG_KEYS = (
    "peft_type task_type r lora_alpha lora_dropout target_modules layers_to_transform layers_pattern bias "
    "use_rslora use_dora fan_in_fan_out inference_mode"
).split()


def register(adapter: Path, card: Card, personas: Path) -> Persona:
    """Put a copy of the PEFT adapter in folder `adapter` under `personas`, with `card`; the new persona.

    The weights are stored in float16, half of what training leaves, which is more than their precision needs. A
    persona that has the id already is moved to `.previous` and not overwritten.

    Raises:
        UserError: the adapter cannot be read or served.
    """
    return _place(slug(card.speaker), card, adapter, personas)


class _TrainedWith(msgspec.Struct):
    """What a dataset's card says that a persona's card repeats."""

    context: bool = False


class _DatasetCard(msgspec.Struct):
    options: _TrainedWith
    platforms: dict[str, str] = {}


def context_of(dataset: Path) -> Callable[[str], Context | None]:
    """What a speaker trained on the set in folder `dataset` has under `context` in their card.

    A set without a card, made by hand, has no context turns that we know of.

    Raises:
        UserError: the set's card cannot be read.
    """
    path = dataset / DATASET_CARD
    try:
        card = msgspec.json.decode(path.read_bytes(), type=_DatasetCard)
    except FileNotFoundError:
        return lambda speaker: None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}.", "Make the set again: greenroom dataset --force") from error
    return lambda speaker: Context(card.platforms.get(speaker, "")) if card.options.context else None


def copy_persona(persona: Persona, personas: Path) -> Persona:
    """Put a copy of `persona` under `personas`, by its own id; one that has it already is moved to `.previous`.

    Raises:
        UserError: its adapter cannot be read or served.
    """
    return _place(persona.id, persona.card, persona.adapter, personas)


def _place(identity: str, card: Card, adapter: Path | None, personas: Path) -> Persona:
    """Build the folder beside the others and move it into place, so that nobody ever reads half a persona."""
    make_private_dir(personas)
    unfinished = Path(tempfile.mkdtemp(dir=personas, prefix=".new-"))
    try:
        folder = make_private_dir(unfinished / identity)
        if adapter is not None:
            copy_adapter(adapter, card.base, folder / ADAPTER_DIR)
        write_card(folder, card)
        keep_previous(personas, identity)
        folder.rename(personas / identity)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return load_persona(personas / identity)


def keep_previous(personas: Path, identity: str) -> Path | None:
    """Move the persona out of the way, to `.previous/ID-N`; where to, or None if there was none."""
    current = personas / identity
    if not current.exists():
        return None
    number = 1
    while (kept := personas / PREVIOUS / f"{identity}-{number}").exists():
        number += 1
    make_private_dir(kept.parent)
    current.rename(kept)
    return kept


def copy_adapter(adapter: Path, base: str, out: Path) -> None:
    """Write the adapter to `out` in float16, with a configuration that names `base` and no path.

    Raises:
        UserError: it cannot be read or served.
    """
    from safetensors.numpy import save_file

    read_config(adapter)
    weights = {key: matrix.astype(np.float16) for key, matrix in read_weights(adapter).items()}
    config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    kept = {key: config[key] for key in _CONFIG_KEYS if config.get(key) is not None}
    if isinstance(kept.get("target_modules"), list):
        kept["target_modules"].sort()
    kept["base_model_name_or_path"] = base
    make_private_dir(out)
    save_file(weights, out / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    (out / "adapter_config.json").write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
    for file in out.iterdir():
        file.chmod(PRIVATE_FILE_MODE)
