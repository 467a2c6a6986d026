"""A small cast of cards without adapters, for what needs no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from persona.card import Card, Persona, Sampling, write_card
from server.roster import Roster


@pytest.fixture
def cast(tmp_path: Path) -> Path:
    folder = tmp_path / "cast"
    sampling = Sampling(temperature=0.6, repetition_penalty=1.1)
    write_card(folder / "john", Card(speaker="John Smith", base="b", owner="Ann Lee", sampling=sampling))
    write_card(folder / "ann", Card(speaker="Ann Lee", base="b", owner="Ann Lee", interlocutor="John Smith"))
    return folder


@pytest.fixture
def roster(cast: Path) -> Roster:
    return Roster([cast])


@pytest.fixture
def john(roster: Roster) -> Persona:
    return roster.personas["john"]
