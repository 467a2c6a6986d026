"""Writes the index of a training set's phrases, which a guard at serving reads (`persona.phrases`)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from persona.audit import adapter_sha256
from persona.card import Persona
from persona.phrases import PHRASE, Head, phrase_hash, phrases_path
from persona.words import words_of
from train.private_files import write_private

_SALT_BYTES = 16


class PhraseHashes:
    """The hashes of a set's phrases: made once, and written beside each adapter that was trained on it."""

    def __init__(self, turns: Iterable[str]) -> None:
        """Hash every `PHRASE` words in a row of every turn, under a key of this index alone."""
        self._salt = secrets.token_bytes(_SALT_BYTES)
        hashes = bytearray()
        for turn in turns:
            words = words_of(turn)
            for start in range(len(words) - PHRASE + 1):
                hashes += phrase_hash(words[start : start + PHRASE], self._salt)
        self._sorted = np.unique(np.frombuffer(hashes, "<u8"))

    def write(self, persona: Persona, dataset_sha256: str) -> Path:
        """Write the index of the persona's served version, for its owner alone, and return its path."""
        head = Head(PHRASE, len(self._sorted), self._salt.hex(), adapter_sha256(persona), dataset_sha256)
        path = phrases_path(persona)
        write_private(path, msgspec.json.encode(head) + b"\n" + self._sorted.astype("<u8").tobytes())
        return path
