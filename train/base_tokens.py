"""Whether a base's tokenizer suits the one prompt format, looked at before the hours of training.

What axolotl would otherwise refuse late or pass over in silence; docs/training.md says what to do about each.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from persona.errors import UserError
from persona.template import TURN_END, TURN_START, render_turn
from train.recipe import Recipe

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TURNS_LOOKED_AT = 2000


class _Config(msgspec.Struct):
    """The part of `tokenizer_config.json` that says what ends a sequence: a token, or one with its settings."""

    eos_token: str | dict[str, Any] | None = None


def check_base(base: Path, recipe: Recipe) -> None:
    """Look whether the base in folder `base` has ChatML's marks as tokens and `recipe` trains the closing one.

    Raises:
        UserError: one of both is not so: axolotl would stop, or make a persona that never stops.
    """
    tokenizer = _tokenizer(base)
    for mark in (TURN_START, TURN_END):
        if mark in (recipe.get("tokens") or []):
            continue  # the run itself gives it one
        if tokenizer is not None and len(tokenizer.encode(mark, add_special_tokens=False).ids) != 1:
            raise UserError(
                f"the base {base.name} has no token for {mark}.",
                'Give it one, as docs/training.md says under "Another base".',
            )
    if TURN_END not in (recipe.get("eot_tokens") or [_end_of_sequence(base, recipe)]):
        raise UserError(
            f"this recipe does not train {TURN_END}, so with the base {base.name} nobody would stop talking.",
            f"Add a line to the recipe: eot_tokens: [{TURN_END}]",
        )


def joined(base: Path, conversations: Iterable[list[dict[str, Any]]]) -> tuple[int, int]:
    """In how many trained turns one token runs from the speaker's name into the body, and of how many that were seen.

    The first 2,000 trained turns of `conversations`, a dataset's, are looked at.
    """
    tokenizer = _tokenizer(base)
    if tokenizer is None:
        return 0, 0
    trained = ((turn["from"], turn["value"]) for talk in conversations for turn in talk if turn["train"])
    turns = list(islice(trained, TURNS_LOOKED_AT))
    encoded = tokenizer.encode_batch([render_turn(*turn) for turn in turns], add_special_tokens=False)
    count = 0
    for (speaker, _), tokens in zip(turns, encoded, strict=True):
        body = len(f"{TURN_START}{speaker}\n")
        count += any(start < body < end for start, end in tokens.offsets)
    return count, len(turns)


def _tokenizer(base: Path) -> Tokenizer | None:
    """The base's tokenizer, or None where it is of a kind that cannot be looked at."""
    from tokenizers import Tokenizer  # late: a third of a second

    path = base / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise UserError(f"{path} is not a tokenizer file: {error}.", "Put the base model there again.") from error


def _end_of_sequence(base: Path, recipe: Recipe) -> str | None:
    """The token that ends a sequence: the recipe's word, or else the base's own."""
    chosen = (recipe.get("special_tokens") or {}).get("eos_token")
    if chosen is not None:
        return str(chosen)
    path = base / "tokenizer_config.json"
    try:
        token = msgspec.json.decode(path.read_bytes(), type=_Config).eos_token
    except (OSError, msgspec.MsgspecError):
        return None
    return token.get("content") if isinstance(token, dict) else token
