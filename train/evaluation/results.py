"""What an evaluation found, part by part; each part lies in a file of its own, so that a run that stopped goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from persona.paths import make_private_dir
from train.evaluation.likelihood import Table
from train.evaluation.style import Difference
from train.evaluation.voices import Taken
from train.private_files import write_private

NAME = "evaluation.json"
PARTS = ("likelihood", "voices", "style")
T = TypeVar("T")


class Sides(msgspec.Struct, frozen=True):
    """What the classifier made of a person's real held-out replies, the persona's, and the base's."""

    real: Taken
    persona: Taken
    base: Taken | None = None


class Results(msgspec.Struct):
    """Everything that an evaluation found.

    Attributes:
        dataset_sha256: of the set.
        seed: of what was drawn.
        replies: how many each persona was asked for; 0 where none were.
        personas: adapter's SHA-256 by speaker.
        likelihood: the cross table.
        voices: whom replies are taken for, by speaker.
        style: how far replies are from real ones, by speaker.
        notes: what was not measured, and why.
    """

    dataset_sha256: str
    seed: int
    replies: int
    personas: dict[str, str]
    likelihood: Table | None = None
    voices: dict[str, Sides] = {}
    style: dict[str, list[Difference]] = {}
    notes: list[str] = []


def write_results(folder: Path, results: Results) -> Path:
    """Write `evaluation.json` to a folder, for its owner alone, and return its path."""
    write_private(folder / NAME, msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    return folder / NAME


def kept(folder: Path, part: str, made_from: object, kind: type[T], make: Callable[[], T]) -> T:
    """Return a part of an evaluation: from its file where that was made from the same, else made and written now."""
    mark = hashlib.sha256(msgspec.json.encode(made_from)).hexdigest()
    path = folder / f"{part}.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
        if msgspec.json.decode(found["made_from"]) == mark:
            return msgspec.json.decode(found["found"], type=kind)
    except (OSError, KeyError, msgspec.DecodeError):
        pass
    result = make()
    make_private_dir(folder)
    write_private(path, msgspec.json.format(msgspec.json.encode({"made_from": mark, "found": result})) + b"\n")
    return result
