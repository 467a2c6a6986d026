"""The keys that let other machines in: `keys.toml` in the private folder, readable by its owner alone.

    [laptop]
    sha256 = "…"                 # of the key; the key itself is shown once and kept nowhere
    created = "2026-03-01"
    personas = ["milo"]          # whom it may talk to; everybody, if it is not there
    per_minute = 60              # requests
    at_once = 4                  # requests under way

A key is 256 random bits, so that its plain hash cannot be searched for; what people choose would need a slow one.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from persona.errors import UserError
from persona.paths import make_private_dir

_NAME = re.compile(r"[\w.-]{1,40}")
PREFIX = "gr-"


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known of a key. `None` is without a limit.

    Attributes:
        sha256: of the key, in hex.
        created: the day it was made, in UTC.
        personas: the ids it may ask for; None for all.
        per_minute: requests in a minute.
        at_once: requests under way.
    """

    sha256: str
    created: str = ""
    personas: list[str] | None = None
    per_minute: int | None = None
    at_once: int | None = None


def keys_path(data: Path) -> Path:
    """Where the keys of the private folder `data` lie."""
    return data / "keys.toml"


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def read_keys(path: Path) -> dict[str, Key]:
    """The keys by name; none where there is no file.

    Raises:
        UserError: the file cannot be read, or says something else.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=dict[str, Key])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.") from error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}.", "Mend it, or remove it and make new keys.") from error


def new_key(path: Path, name: str, *, personas: list[str] | None, per_minute: int | None, at_once: int | None) -> str:
    """Make a key called `name` and come back with it; only its hash is kept.

    Raises:
        UserError: the name is taken or none.
    """
    keys = read_keys(path)
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be a key's name.", "Letters, digits, - _ . and at most 40.")
    if name in keys:
        raise UserError(f"there is a key {name} already.", f"`greenroom serve --revoke-key {name}` ends it.")
    key = PREFIX + secrets.token_urlsafe(32)
    today = datetime.now(UTC).date().isoformat()
    keys[name] = Key(digest(key), today, personas or None, per_minute, at_once)
    _write(path, keys)
    return key


def revoke_key(path: Path, name: str) -> None:
    """Forget the key called `name`; a running endpoint refuses it from its next request on.

    Raises:
        UserError: there is none.
    """
    keys = read_keys(path)
    if name not in keys:
        raise UserError(f"there is no key {name}.", "`greenroom serve --list-keys` shows those there are.")
    del keys[name]
    _write(path, keys)


def _write(path: Path, keys: dict[str, Key]) -> None:
    import tomli_w  # late: vLLM's environment only reads keys

    make_private_dir(path.parent)
    # Beside it and renamed: an endpoint that reads at this moment sees the old file or the new one. Mode 600.
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
    with os.fdopen(handle, "wb") as file:
        tomli_w.dump(msgspec.to_builtins(keys), file)
    os.replace(unfinished, path)
