"""How many tokens a text has: counted with the tokenizer of a recipe's base model, or estimated.

A counter takes many texts at once, since the tokenizers library works on them with every core.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from persona.errors import UserError
from persona.paths import models_dir
from train.recipe import base_name, find_recipe, read_recipe

TOKENIZER_FILE = "tokenizer.json"


class TokenCounter(Protocol):
    """Counts the tokens of texts; `name` says with what, for the card."""

    name: str

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, without any that a model adds around a prompt."""
        ...


def estimated_tokens(text: str) -> int:
    """Return a number of tokens that real tokenizers seldom exceed: one for each three bytes of UTF-8.

    English takes about four bytes a token and most other scripts more than three; emoji, and other scripts with a
    tokenizer made for English, can take more tokens than this says.
    """
    return -(-(len(text) if text.isascii() else len(text.encode())) // 3)


class _Estimate:
    name = "estimate: 3 bytes a token"

    def count(self, texts: Sequence[str]) -> list[int]:
        # As `estimated_tokens`, which would be called for every turn.
        return [-(-(len(text) if text.isascii() else len(text.encode())) // 3) for text in texts]


ESTIMATE: TokenCounter = _Estimate()


class FileCounter:
    """Counts with a `tokenizer.json`, as transformers and axolotl do."""

    def __init__(self, path: Path) -> None:
        """Read the file; a UserError when it is not one."""
        # Late: a third of a second, and only exact counting needs it.
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise UserError(f"{path} is not a tokenizer file: {error}.", "Give a tokenizer.json.") from error
        # A file may hold the length that its model was trained with; here every token counts.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.name = f"{path.parent.name}/{path.name}"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(one.ids) for one in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def find_counter(wanted: str, data: Path) -> FileCounter:
    """Return a counter for `wanted`: a tokenizer.json, a model's folder, a base in `data/models`, or a recipe.

    Nothing is downloaded. Raises UserError when there is no such tokenizer on this machine; says where it was looked
    for.
    """
    recipe = _recipe(wanted)
    if recipe is not None:
        settings = read_recipe(recipe)
        base = str(settings["base_model"])
        places = [Path(base), models_dir(data) / base_name(settings), *downloaded(base)]
    else:
        given = Path(wanted).expanduser()
        places = [given, models_dir(data) / given.name, *downloaded(wanted)]
    for place in places:
        path = place / TOKENIZER_FILE if place.is_dir() else place
        if path.is_file() and path.suffix == ".json":
            return FileCounter(path)
    looked = ", ".join(str(place) for place in places)
    whose = f"the recipe {recipe.stem}" if recipe is not None else repr(wanted)
    raise UserError(
        f"There is no {TOKENIZER_FILE} for {whose}: looked in {looked}.",
        "Put the base model there (`greenroom model`), give a tokenizer.json with --tokenizer, or leave both out "
        "for an estimate.",
    )


def _recipe(wanted: str) -> Path | None:
    try:
        found = find_recipe(wanted)
    except UserError:
        return None
    return found if found.suffix in (".yml", ".yaml") else None


def downloaded(base: str) -> list[Path]:
    """Return where Hugging Face's library keeps what it has of a model: `org/name` in its cache, newest first."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    name = base.strip("/").replace("/", "--")
    snapshots = [path for path in cache.glob(f"models--{glob.escape(name)}/snapshots/*") if path.is_dir()]
    return sorted(snapshots, key=lambda path: path.stat().st_mtime, reverse=True)
