"""`greenroom serve --require-audit`: who has not passed an audit of the weights that are there is not served."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from persona.audit import Audit, Check, audit_path, read_audit
from persona.card import Card, load_persona, write_card
from persona.errors import UserError
from server.envelope import RequestError
from server.roster import Roster


def audited(folder: Path, *, passed: bool = True, weights: str = "") -> None:
    check = Check("longest run, words", 4, 25, passed)
    card = Audit(folder.name, "S", "2026-01-01", weights, "", None, 9, 0, passed, [check], {})
    audit_path(load_persona(folder)).write_bytes(msgspec.json.encode(card))


def test_only_personas_that_passed_are_served_and_the_others_say_why(cast: Path) -> None:
    audited(cast / "john")
    roster = Roster([cast], audited=True)
    assert list(roster.personas) == ["john"]
    with pytest.raises(RequestError, match="ann was not audited"):
        roster.find("ann")
    assert list(Roster([cast]).personas) == ["ann", "john"]


def test_an_audit_that_failed_or_is_of_other_weights_counts_as_none(cast: Path) -> None:
    audited(cast / "john", passed=False)
    audited(cast / "ann", weights="0" * 64)
    with pytest.raises(UserError, match="the audit of ann is of other weights"):
        Roster([cast], audited=True)


def test_a_new_version_needs_an_audit_of_its_own(cast: Path) -> None:
    audited(cast / "john")
    (cast / "john" / "versions" / "1").mkdir(parents=True)
    write_card(cast / "john", Card(speaker="John Smith", base="b", version=1))
    assert read_audit(load_persona(cast / "john")) is None


def test_a_file_that_is_no_audit_is_said_so(cast: Path) -> None:
    (cast / "john" / "audit.json").write_text('{"persona": 1}')
    with pytest.raises(UserError, match=r"audit\.json: .*Make it again: greenroom audit john"):
        read_audit(load_persona(cast / "john"))
