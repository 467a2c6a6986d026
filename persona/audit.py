"""The audit of a persona: `audit.json` beside the adapter it is of, which says whether it keeps what it was taught.

`greenroom audit` writes it, `greenroom serve --require-audit` reads it. It holds numbers and no text of anybody.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from persona.card import ADAPTER_WEIGHTS, Persona
from persona.errors import UserError

AUDIT_NAME = "audit.json"
FORMAT = 1


class Check(msgspec.Struct, frozen=True):
    """One question of an audit.

    Attributes:
        name: what was measured, with its unit.
        value: what came out.
        limit: the most that passes.
        passed: whether it does.
        meaning: one line for people.
    """

    name: str
    value: float
    limit: float
    passed: bool
    meaning: str = ""


class Audit(msgspec.Struct, frozen=True):
    """What `audit.json` says.

    Attributes:
        persona: the id.
        speaker: whom it writes like.
        day: when, ISO.
        adapter_sha256: of the weights that were audited; empty for a persona without an adapter.
        dataset_sha256: of the set it was compared with.
        trained_on: whether that is the set that the persona's card says it was trained on; None where it says none.
        replies: how many were looked at.
        seed: of all that was drawn.
        passed: whether every check did.
        checks: each with its limit.
        figures: what has no limit, for people to compare.
        notes: what was not looked at, and why.
    """

    persona: str
    speaker: str
    day: str
    adapter_sha256: str
    dataset_sha256: str
    trained_on: bool | None
    replies: int
    seed: int
    passed: bool
    checks: list[Check]
    figures: dict[str, float]
    notes: list[str] = []
    format: int = FORMAT


def audit_path(persona: Persona) -> Path:
    """Where the audit of the served version lies."""
    return persona.version_folder / AUDIT_NAME


def adapter_sha256(persona: Persona) -> str:
    """The SHA-256 of a persona's adapter; empty where it has none."""
    if persona.adapter is None:
        return ""
    with (persona.adapter / ADAPTER_WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_audit(persona: Persona) -> Audit | None:
    """The audit of the version that is served, or None where it was never audited.

    Raises:
        UserError: the file cannot be read, or is no audit.
    """
    path = audit_path(persona)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Audit)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{path}: {error}.", f"Make it again: greenroom audit {persona.id}") from error


def require_audit(persona: Persona) -> None:
    """Return where the served version has passed an audit of the very weights that are there.

    Raises:
        UserError: it has not; says why.
    """
    audit = read_audit(persona)
    command = f"Run `greenroom audit {persona.id}`, or serve without --require-audit."
    if audit is None:
        raise UserError(f"{persona.id} was not audited.", command)
    if audit.adapter_sha256 != adapter_sha256(persona):
        raise UserError(f"the audit of {persona.id} is of other weights.", command)
    if not audit.passed or not all(check.passed for check in audit.checks):
        failed = ", ".join(check.name for check in audit.checks if not check.passed)
        raise UserError(f"{persona.id} did not pass its audit: {failed}.", "See `greenroom audit`, docs/evaluation.md.")
