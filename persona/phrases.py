"""The index of a training set's phrases: `phrases.idx` beside the adapter that was trained on it.

It says of a few words in a row whether they stand in the set, and is read by the guard of `greenroom serve --guard`.
`greenroom audit` writes it: a line of JSON (`Head`), and then sorted 64-bit numbers, little-endian, which are keyed
hashes (BLAKE2b) of every so many words in a row of every turn. The key is in the file, so it hides nothing from whoever
has the file and guesses: docs/evaluation.md says what it gives away.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from persona.audit import adapter_sha256
from persona.card import Persona
from persona.errors import UserError

PHRASES_NAME = "phrases.idx"
FORMAT = 1
PHRASE = 8
"""Words of a phrase, as of the audit's n-grams: fewer are everybody's."""
HASH_BYTES = 8
_MOST_HEAD_BYTES = 4096


class Head(msgspec.Struct, frozen=True):
    """The first line of the file.

    Attributes:
        words: of a phrase.
        count: how many hashes follow.
        salt: the key of the hashes, in hexadecimal.
        adapter_sha256: of the weights that the index is for; empty for a persona without an adapter.
        dataset_sha256: of the set.
    """

    words: int
    count: int
    salt: str
    adapter_sha256: str
    dataset_sha256: str
    format: int = FORMAT


def phrase_hash(words: Sequence[str], salt: bytes) -> bytes:
    """The hash of words in a row, as `persona.words.words_of` gives them."""
    text = " ".join(words).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=HASH_BYTES, key=salt).digest()


def phrases_path(persona: Persona) -> Path:
    """Where the index of the served version lies."""
    return persona.version_folder / PHRASES_NAME


class Phrases:
    """An index, mapped and not read: a look costs some twenty places of the file."""

    def __init__(self, path: Path) -> None:
        """Open the index at `path`.

        Raises:
            FileNotFoundError: there is none.
            UserError: it cannot be read, or is no index.
        """
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            end = self._bytes.find(b"\n", 0, _MOST_HEAD_BYTES)
            self.head = msgspec.json.decode(self._bytes[: max(end, 0)], type=Head)
            self._salt = bytes.fromhex(self.head.salt)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:  # msgspec's are ValueErrors, and so is that of an empty file
            raise UserError(f"{path}: {error}.", "Make it again: greenroom audit --index-only") from error
        self._start = end + 1
        whole = self._start + self.head.count * HASH_BYTES == len(self._bytes)
        if not whole or self.head.format != FORMAT or self.head.words < 1 or len(self._salt) > blake2b.MAX_KEY_SIZE:
            raise UserError(
                f"{path} is no index of phrases, or not a whole one.", "Make it again: greenroom audit --index-only"
            )

    def __contains__(self, words: Sequence[str]) -> bool:
        """Whether `words`, as many as a phrase has, stand in a row in the set."""
        wanted = int.from_bytes(phrase_hash(words, self._salt), "little")
        place = bisect_left(range(self.head.count), wanted, key=self._at)
        return place < self.head.count and self._at(place) == wanted

    def _at(self, place: int) -> int:
        start = self._start + place * HASH_BYTES
        return int.from_bytes(self._bytes[start : start + HASH_BYTES], "little")


def require_phrases(persona: Persona, least: int) -> Phrases:
    """The index of the served version's very weights, to find runs of `least` words with.

    Raises:
        UserError: there is none; says why.
    """
    command = f"Run `greenroom audit {persona.id} --index-only`, or serve without --guard."
    try:
        phrases = Phrases(phrases_path(persona))
    except FileNotFoundError:
        raise UserError(f"{persona.id} has no index of its training set.", command) from None
    if phrases.head.adapter_sha256 != adapter_sha256(persona):
        raise UserError(f"the index of {persona.id}'s training set is for other weights.", command)
    if phrases.head.words > least:
        raise UserError(
            f"the index of {persona.id} is of {phrases.head.words} words in a row, and --guard {least} is fewer.",
            f"Serve with --guard {phrases.head.words} or more.",
        )
    return phrases
