"""Make a persona of a trained adapter: its folder under `data/personas`, with a card that says how it was made.

A persona that is there already gets a new version beside the old ones (`persona.card`), and `rollback` goes back.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from persona.card import (
    ADAPTER_DIR,
    ADAPTER_WEIGHTS,
    CARD_NAME,
    VERSIONS_DIR,
    Card,
    Context,
    Persona,
    load_persona,
    write_card,
)
from persona.errors import UserError
from persona.gguf_lora import read_config, read_weights
from persona.names import slug
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.dataset.options import CARD_NAME as DATASET_CARD

PREVIOUS = ".previous"

# What an engine reads of PEFT's configuration. The rest is about training, and holds paths of this machine.
_CONFIG_KEYS = (
    "peft_type task_type r lora_alpha lora_dropout target_modules layers_to_transform layers_pattern bias "
    "use_rslora use_dora fan_in_fan_out inference_mode"
).split()

_MODEL_FILES = {".safetensors", ".json", ".jinja", ".model", ".txt"}
_MADE_BY_RUN = "greenroom-run"


def register(adapter: Path | None, card: Card, personas: Path) -> Persona:
    """Put a copy of the PEFT adapter in folder `adapter` under `personas`, with `card`; the persona.

    The weights are stored in float16, half of what training leaves, which is more than their precision needs. A
    persona that has the id already gets them as its next version; without an adapter it is the base with a name.

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
    """Put a copy of `persona` under `personas`, by its own id; where that is taken, as the next version of it.

    Raises:
        UserError: its adapter cannot be read or served.
    """
    return _place(persona.id, persona.card, persona.adapter, personas)


def _place(identity: str, card: Card, adapter: Path | None, personas: Path) -> Persona:
    """Make a new version of a persona and then point its card to it, so that nobody ever reads half of one."""
    make_private_dir(personas)
    folder = personas / identity
    unfinished = Path(tempfile.mkdtemp(dir=personas, prefix=".new-"))
    try:
        if adapter is not None:
            copy_adapter(adapter, card.base, unfinished / ADAPTER_DIR)
        _keep_first(folder)
        number = max(versions(folder), default=0) + 1
        card = msgspec.structs.replace(card, version=number)
        place = make_private_dir(folder / VERSIONS_DIR) / str(number)
        os.rename(unfinished, place)
        _write_version(place, card)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return write_card(folder, card)


def _keep_first(folder: Path) -> None:
    """Give the version of a persona that has its adapter beside its card (0) a card of its own; its adapter stays."""
    if (folder / CARD_NAME).is_file() and not versions(folder):
        first = load_persona(folder)
        _write_version(make_private_dir(folder / VERSIONS_DIR / "0"), first.card)


def _write_version(place: Path, card: Card) -> None:
    # Read back without its number, since in this folder there are no versions.
    write_card(place, msgspec.structs.replace(card, version=0))


def versions(folder: Path) -> list[int]:
    """The versions that the persona in `folder` has, oldest first; none where it was made once and never again."""
    cards = (folder / VERSIONS_DIR).glob(f"*/{CARD_NAME}")
    return sorted(int(card.parent.name) for card in cards if card.parent.name.isdecimal())


def rollback(folder: Path, version: int | None = None) -> Persona:
    """Serve another version of the persona in `folder`: the one before the current one, or `version`; the persona.

    Nothing is removed, so that going back can be undone in the same way. What serves it takes it up when it next
    starts.

    Raises:
        UserError: there is no such version; says which there are.
    """
    current = load_persona(folder).card.version
    there = versions(folder)
    chosen = version if version is not None else max((one for one in there if one < current), default=None)
    if chosen is None or chosen not in there:
        listed = f"It has {', '.join(map(str, there))}." if there else "It was made once."
        wanted = "no version before this one" if chosen is None else f"no version {chosen}"
        raise UserError(f"{folder.name} is at version {current}, and there is {wanted}.", listed)
    card = load_persona(folder / VERSIONS_DIR / str(chosen)).card
    return write_card(folder, msgspec.structs.replace(card, version=chosen))


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


def register_base(model: Path, name: str, run: str, models: Path) -> Path:
    """Copy a model of its own (every weight trained) from folder `model` to `models`, as a new base; its folder.

    It is called `name`, or `name-2` and so on where that is taken. Files are linked where the disk allows, since they
    are large and not changed again.

    Args:
        model: what training left.
        name: what cards will call it.
        run: the run's id; what it made before, it does not make twice.
        models: the folder of base models.

    Raises:
        UserError: there are no weights in it.
    """
    files = [path for path in sorted(model.iterdir()) if path.is_file() and path.suffix in _MODEL_FILES]
    if not any(path.suffix == ".safetensors" for path in files) or not (model / "config.json").is_file():
        raise UserError(f"{model} holds no model: no config.json with safetensors.", "Train it again.")
    place, number = models / name, 1
    while place.exists():
        if (place / _MADE_BY_RUN).is_file() and (place / _MADE_BY_RUN).read_text() == run:
            return place
        number += 1
        place = models / f"{name}-{number}"
    make_private_dir(models)
    unfinished = Path(tempfile.mkdtemp(dir=models, prefix=".new-"))
    try:
        (unfinished / _MADE_BY_RUN).write_text(run)
        for path in files:
            try:
                os.link(path, unfinished / path.name)
            except OSError:  # another disk
                shutil.copyfile(path, unfinished / path.name)
            (unfinished / path.name).chmod(PRIVATE_FILE_MODE)
        unfinished.rename(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return place
