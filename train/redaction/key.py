"""The key of the redaction: a secret, and the table by which stand-ins can be turned back.

It lies in the private folder, readable by its owner alone, and never goes into a dataset.
"""

import contextlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir

FILE_NAME = "redaction-key.json"
_VERSION = 1
_TRIES = 500


class Draws:
    """Numbers drawn from the secret for one value, always the same ones."""

    def __init__(self, secret: bytes, label: str, turn: int = 0) -> None:
        self.turn = turn
        """How many candidates of the value were refused before."""
        self._bytes = self._stream(secret, label.encode("utf-8", "surrogatepass"))

    @staticmethod
    def _stream(secret: bytes, label: bytes) -> Iterator[int]:
        block = 0
        while True:
            yield from hmac.digest(secret, label + b"\0" + str(block).encode(), "sha256")
            block += 1

    def below(self, limit: int) -> int:
        """Return the next number from 0 up to `limit` - 1; limits are far below 2^32, so all are as likely."""
        number = 0
        for _ in range(5):
            number = number << 8 | next(self._bytes)
        return number % limit


class RedactionKey:
    """A secret, and for each kind the stand-ins that were given out with what they stand for."""

    def __init__(self, path: Path | None, secret: bytes, stand_ins: dict[str, dict[str, str]] | None = None) -> None:
        """Make a key that is saved to `path`; with None it is never written (for trying things out)."""
        self.path = path
        self._secret = secret
        self._originals = stand_ins or {}
        self._stand_ins = {
            kind: {original: stand_in for stand_in, original in table.items()}
            for kind, table in self._originals.items()
        }

    def draws(self, kind: str, value: str, turn: int = 0) -> Draws:
        """Return the numbers that belong to a value; those of another `turn` are others."""
        return Draws(self._secret, f"{kind}\0{value}\0{turn}", turn)

    def stand_in(
        self, kind: str, value: str, make: Callable[[Draws], str], *, refused: Callable[[str], bool] | None = None
    ) -> str:
        """Return the stand-in of a value: the one it had before, or the first of its draws that nobody has.

        `make` turns draws into a candidate; `refused` says which candidates must not be used, also not where an
        earlier run gave them out. A value that is a stand-in itself keeps standing for what it stands for.
        """
        known = self._stand_ins.setdefault(kind, {})
        originals = self._originals.setdefault(kind, {})
        if value in known and not (refused and refused(known[value])):
            return known[value]
        if value in originals and not refused:
            return value
        candidate = value
        for turn in range(_TRIES):
            candidate = make(self.draws(kind, value, turn))
            if candidate in (value, "") or candidate in originals or candidate in known:
                continue
            if not (refused and refused(candidate)):
                break
        else:
            # There are fewer values of this shape than are needed: one of another length is better than a shared one.
            number = 2
            while f"{candidate}{number}" in originals:
                number += 1
            candidate = f"{candidate}{number}"
        originals.pop(known.get(value, ""), None)
        known[value], originals[candidate] = candidate, value
        return candidate

    def is_stand_in(self, kind: str, value: str) -> bool:
        """Return whether a value was given out as a stand-in of this kind."""
        return value in self._originals.get(kind, ())

    def original(self, kind: str, stand_in: str) -> str | None:
        """Return what a stand-in stands for: letters and digits of it, without case; None when it is none."""
        return self._originals.get(kind, {}).get(stand_in)

    def stand_ins(self, kind: str) -> Mapping[str, str]:
        """Return every stand-in of a kind with what it stands for, both as they are compared."""
        return self._originals.get(kind, {})

    def kinds(self) -> list[str]:
        """Return the kinds of which stand-ins were given out."""
        return [kind for kind, table in self._originals.items() if table]

    def save(self) -> None:
        """Write the key, whole or not at all.

        Raises:
            UserError: the file cannot be written.
        """
        if self.path is None:
            return
        content = {"version": _VERSION, "secret": self._secret.hex(), "stand_ins": self._originals}
        temporary = None
        try:
            make_private_dir(self.path.parent)
            # mkstemp makes files that only their owner can read.
            handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{FILE_NAME}.")
            with os.fdopen(handle, "w", encoding="ascii") as file:
                # json and not msgspec: a message can hold half a surrogate pair, which is no UTF-8.
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            raise UserError(
                f"{self.path} cannot be written: {error.strerror}.", "Make room, or choose another --data."
            ) from error


def open_key(data: Path) -> RedactionKey:
    """Return the key of the private folder `data`, making it when there is none.

    Raises:
        UserError: it cannot be read or written, or is not a key.
    """
    path = data / FILE_NAME
    try:
        raw = path.read_bytes()
        path.chmod(PRIVATE_FILE_MODE)
    except FileNotFoundError:
        key = RedactionKey(path, secrets.token_bytes(32))
        key.save()
        return key
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Look at its permissions.") from error
    try:
        content = json.loads(raw)
        if content["version"] > _VERSION:
            raise UserError(f"{path} was written by a newer Greenroom.", "Update Greenroom.")
        secret, tables = bytes.fromhex(content["secret"]), content["stand_ins"]
        for table in tables.values():
            if not all(isinstance(one, str) for pair in table.items() for one in pair):
                raise TypeError
        if len(secret) < 16:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not a redaction key.",
            "Put back the one you had; without it stand-ins change. To begin anew, move it away.",
        ) from error
    return RedactionKey(path, secret, tables)
