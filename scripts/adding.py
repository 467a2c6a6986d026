"""What `greenroom personas add` adds: a folder, a zip file of folders, or what came back from a rented machine."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from persona.card import CARD_NAME, Persona, load_persona
from persona.errors import UserError
from persona.names import slug
from persona.paths import PRIVATE_FILE_MODE, make_private_dir, models_dir, personas_dir
from scripts.train import _owner

_MOST_UNZIPPED = 8 << 30
"""Bytes that a zip file may unpack to: far more than a cast of adapters, and less than a disk."""


def add_folder(folder: Path, data: Path) -> Persona:
    """Copy the persona in `folder`.

    Raises:
        UserError: it is not one, or is here already.
    """
    from train.register import copy_persona

    if not folder.is_dir():
        raise UserError(
            f"{folder} is neither a persona's folder nor a result." if folder.exists() else f"There is no {folder}.",
            "A persona's folder holds a persona.toml; a result is what a bundle's run.sh packs.",
        )
    persona = load_persona(folder)
    target = personas_dir(data)
    if target.resolve() == persona.folder.resolve().parent:
        raise UserError(f"{folder} is among your personas already.")
    return copy_persona(persona, target)


def add_zip(path: Path, data: Path) -> list[Persona]:
    """Copy every persona in the zip file `path`; all of them, or none where one cannot be read.

    A persona at the top of the file is called as the file is.

    Raises:
        UserError: it is no zip file, holds no persona, or one that cannot be read.
    """
    from persona.gguf_lora import read_config, read_weights
    from train.register import copy_persona

    with _workshop(data) as place:
        unpacked = make_private_dir(place / slug(path.stem))
        _unzip(path, unpacked)
        folders = sorted(card.parent for card in unpacked.rglob(CARD_NAME))
        if not folders:
            raise UserError(
                f"{path} holds no persona: there is no {CARD_NAME} in it.", "Zip a folder of data/personas."
            )
        found = [load_persona(folder) for folder in folders]
        _check_ids(path, [persona.id for persona in found])
        for adapter in [persona.adapter for persona in found if persona.adapter]:
            read_config(adapter)
            read_weights(adapter)
        return [copy_persona(persona, personas_dir(data)) for persona in found]


def _check_ids(path: Path, ids: list[str]) -> None:
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice:
        raise UserError(f"{path} holds two personas called {twice}.", "Rename one of the folders.")


def _unzip(path: Path, into: Path) -> None:
    """Unpack plain files, each inside `into`."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > _MOST_UNZIPPED:
                raise UserError(f"{path} unpacks to more than {_MOST_UNZIPPED >> 30} GB.", "Is it a cast of personas?")
            for entry in entries:
                inside = PurePosixPath(entry.filename)
                if inside.is_absolute() or ".." in inside.parts:
                    raise UserError(f"{path} holds {entry.filename!r}, which leads out of it.", "Nothing was added.")
                place = into / inside
                make_private_dir(place.parent)
                with archive.open(entry) as source, place.open("wb") as out:
                    while chunk := source.read(1 << 20):
                        out.write(chunk)
                place.chmod(PRIVATE_FILE_MODE)
    except OSError as error:
        raise UserError(f"{path} cannot be unpacked: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise UserError(f"{path} is not a whole zip file that can be read ({error}).", "Copy it again.") from error


def add_result(path: Path, data: Path, dataset: Path, passphrase_file: Path | None) -> list[Persona]:
    """Register the personas in the result of a bundle, once it is sure that it belongs here.

    Raises:
        UserError: it is not whole, is of another dataset or base, or cannot be served.
    """
    from train.bundle.packing import RECORDS
    from train.bundle.result import check_adapters, check_base, check_belongs, open_result
    from train.bundle.sealing import read_passphrase
    from train.register import register, register_base

    with _workshop(data) as place:
        result = open_result(path, place, lambda: read_passphrase(passphrase_file))
        check_belongs(result, dataset, data / RECORDS)
        note = check_base(result, data)
        owner = _owner(data)
        _check_ids(path, [slug(speaker) for speaker in result.manifest.speakers])
        base = result.manifest.base.name
        if result.model is not None:
            base = register_base(result.model, result.name, result.said.bundle, models_dir(data)).name
            note = f"The model is {models_dir(data) / base}; for llama.cpp: greenroom model gguf {base}"
        else:
            check_adapters(result)
        added = [
            register(None if result.model else result.adapter_of(card.speaker), card, personas_dir(data))
            for card in result.cards(base, owner)
        ]
    if note:
        print(note)
    return added


@contextmanager
def _workshop(data: Path) -> Iterator[Path]:
    """A folder to unpack in, on the disk where it will stay, removed at the end."""
    with tempfile.TemporaryDirectory(dir=make_private_dir(data), prefix=".adding-") as place:
        yield Path(place)
