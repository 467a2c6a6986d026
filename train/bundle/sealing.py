"""Files sealed with a passphrase: what a bundle and its result are while they lie on other people's disks.

    python sealing.py open SEALED OUT --lock LOCK      on the rented machine; asks for the passphrase
    python sealing.py seal FILE OUT --lock LOCK        with the lock that `open` left, so that nobody need be there

It travels in every sealed bundle and runs beside axolotl, so it imports nothing of Greenroom's. The parts are those of
`cryptography` (https://cryptography.io): a key from the passphrase by scrypt (n 2^17, r 8, p 1: each guess costs 128
MiB), the content in AES-256-GCM. The file: a magic line, salt (16 bytes), verifier (16), nonce (12), ciphertext, tag
(16); the tag also covers all that stands before the ciphertext.

The verifier is made by scrypt beside the key. It tells a wrong passphrase from a damaged file, and helps a guesser no
more than the tag does.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAGIC = b"greenroom sealed 1\n"
PASSPHRASE_VARIABLE = "GREENROOM_PASSPHRASE"
LEAST_CHARS = 8

_SALT, _VERIFIER, _NONCE, _TAG, _KEY = 16, 16, 12, 16, 32
_HEADER = len(MAGIC) + _SALT + _VERIFIER + _NONCE
_CHUNK = 1 << 20
_MOST_BYTES = (1 << 36) - 32
"""What GCM can encrypt under one nonce (NIST SP 800-38D)."""


class SealError(Exception):
    """A file cannot be sealed or opened; the message says why in one line."""


class Lock(NamedTuple):
    """What a passphrase becomes: enough to seal files that the same passphrase opens."""

    salt: bytes
    verifier: bytes
    key: bytes


def make_lock(passphrase: str, salt: bytes | None = None) -> Lock:
    """The lock of `passphrase`; with a new salt, unless it is told."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    salt = salt or os.urandom(_SALT)
    derived = Scrypt(salt=salt, length=_KEY + _VERIFIER, n=1 << 17, r=8, p=1).derive(passphrase.encode())
    return Lock(salt, derived[_KEY:], derived[:_KEY])


def is_sealed(path: Path) -> bool:
    """Whether `path` begins as a sealed file does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def seal(source: Path, out: Path, lock: Lock) -> None:
    """Write `source` encrypted to `out`, whole or not at all.

    Raises:
        SealError: it is larger than 64 GiB.
        OSError: it cannot be read, or `out` not written.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if source.stat().st_size > _MOST_BYTES:
        raise SealError(f"{source} is larger than the 64 GiB that can be sealed in one file.")
    nonce = os.urandom(_NONCE)
    header = MAGIC + lock.salt + lock.verifier + nonce
    encryptor = Cipher(algorithms.AES256(lock.key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(header)
    draft = out.with_name(f"{out.name}.part")
    try:
        with source.open("rb") as clear, private_file(draft) as sealed:
            sealed.write(header)
            while chunk := clear.read(_CHUNK):
                sealed.write(encryptor.update(chunk))
            sealed.write(encryptor.finalize() + encryptor.tag)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def unseal(path: Path, out: Path, passphrase: str) -> Lock:
    """Write the clear text of `path` to `out`, whole and unchanged or not at all; the lock it was sealed with.

    Raises:
        SealError: it is no sealed file, the passphrase is wrong, or the file is damaged.
        OSError: it cannot be read, or `out` not written.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    draft = out.with_name(f"{out.name}.part")
    size = path.stat().st_size - _HEADER - _TAG
    with path.open("rb") as sealed:
        header = sealed.read(_HEADER)
        if not header.startswith(MAGIC):
            raise SealError(f"{path} is not a sealed file.")
        if size < 0:
            raise SealError(f"{path} is damaged: it breaks off. Copy it again.")
        salt = header[len(MAGIC) : len(MAGIC) + _SALT]
        lock = make_lock(passphrase, salt)
        if header[len(MAGIC) + _SALT : -_NONCE] != lock.verifier:
            raise SealError(f"the passphrase does not open {path}.")
        decryptor = Cipher(algorithms.AES256(lock.key), modes.GCM(header[-_NONCE:])).decryptor()
        decryptor.authenticate_additional_data(header)
        try:
            with private_file(draft) as clear:
                while size:
                    chunk = sealed.read(min(_CHUNK, size))
                    size -= len(chunk)
                    clear.write(decryptor.update(chunk))
                # Nothing of what was written is used before this has agreed.
                clear.write(decryptor.finalize_with_tag(sealed.read(_TAG)))
            draft.replace(out)
        except InvalidTag as error:
            raise SealError(f"{path} is damaged or was changed on the way. Copy it again.") from error
        finally:
            draft.unlink(missing_ok=True)
    return lock


def read_passphrase(file: Path | None = None, *, new: bool = False) -> str:
    """The passphrase: the first line of `file`, else GREENROOM_PASSPHRASE, else asked for on the terminal.

    Args:
        file: where it stands, if it does.
        new: it is to seal something: asked for twice, and not too short.

    Raises:
        SealError: there is none, the two differ, or a new one is shorter than eight characters.
    """
    if file is not None:
        try:
            found = file.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise SealError(f"cannot read the passphrase file {file}: {error}.") from error
    elif PASSPHRASE_VARIABLE in os.environ:
        found = os.environ[PASSPHRASE_VARIABLE]
    elif sys.stdin.isatty():
        found = getpass.getpass("Passphrase: ")
        if new and getpass.getpass("The same again: ") != found:
            raise SealError("the two passphrases differ.")
    else:
        raise SealError(
            "a passphrase is needed, and there is no terminal to ask on: "
            f"use --passphrase-file, or set {PASSPHRASE_VARIABLE}."
        )
    if not found:
        raise SealError("the passphrase is empty.")
    if new and len(found) < LEAST_CHARS:
        raise SealError(f"the passphrase is too short: take {LEAST_CHARS} characters or more, or four random words.")
    return found


def private_file(path: Path) -> BinaryIO:
    """Open a new file to write that only its owner can read."""
    path.unlink(missing_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _write_lock(lock: Lock, path: Path) -> None:
    with private_file(path) as file:
        file.write(json.dumps([part.hex() for part in lock]).encode())


def main() -> None:
    """Open or seal one file; exit code 2 and a line on what cannot be done."""
    parser = argparse.ArgumentParser(prog="sealing.py", description="Open or seal a file of a bundle.")
    parser.add_argument("do", choices=["open", "seal"])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--passphrase-file", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.do == "open":
            passphrase = read_passphrase(arguments.passphrase_file)
            _write_lock(unseal(arguments.source, arguments.out, passphrase), arguments.lock)
        else:
            lock = Lock(*(bytes.fromhex(part) for part in json.loads(arguments.lock.read_text())))
            seal(arguments.source, arguments.out, lock)
    except ImportError:
        print("sealing.py: the Python package `cryptography` is missing: pip install cryptography", file=sys.stderr)
        raise SystemExit(2) from None
    except (SealError, OSError) as error:
        print(f"sealing.py: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
