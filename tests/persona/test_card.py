"""A persona is a folder with a card; a broken one says what is wrong and stops nobody else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from persona.card import Card, Context, Sampling, load_persona, load_personas, write_card
from persona.errors import UserError


def test_a_card_is_read_back_as_written_and_only_by_its_owner(tmp_path: Path) -> None:
    card = Card(
        speaker="Zoë Smith", base="a-base", owner="Me", sampling=Sampling(temperature=0.7), made_by={"recipe": "x"}
    )
    persona = write_card(tmp_path / "zoë", card)
    assert load_persona(tmp_path / "zoë") == persona
    assert persona.card == card
    assert persona.card.sampling.given() == {"temperature": 0.7}
    assert stat.S_IMODE((persona.folder / "persona.toml").stat().st_mode) == 0o600


def test_context_is_there_only_where_it_was_trained(tmp_path: Path) -> None:
    without = write_card(tmp_path / "a", Card(speaker="A", base="b"))
    assert "context" not in (without.folder / "persona.toml").read_text()
    for name, context in (("b", Context("telegram")), ("c", Context())):
        assert write_card(tmp_path / name, Card(speaker="A", base="b", context=context)).card.context == context


def test_the_owner_is_talked_to_by_default_and_the_owner_talks_to_somebody_else(tmp_path: Path) -> None:
    friend = write_card(tmp_path / "a", Card(speaker="Friend A", base="b", owner="Me"))
    owner = write_card(tmp_path / "me", Card(speaker="Me", base="b", owner="Me", interlocutor="Friend A"))
    alone = write_card(tmp_path / "alone", Card(speaker="Me", base="b", owner="Me"))
    assert friend.interlocutor == "Me"
    assert owner.interlocutor == "Friend A"
    assert alone.interlocutor == "Friend"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speaker = ", "persona.toml"),
        ('speaker = "A"', "base"),
        ('speaker = "\\u200b"\nbase = "b"', "no readable name"),
        ('speaker = "A"\nbase = "b"\nadaptor = "x"', "adaptor"),
        ('speaker = "A"\nbase = "b"\n[context]\nplatforms = 2', "platforms"),
        ('speaker = "A"\nbase = "b"\n[sampling]\ntemperature = "hot"', "temperature"),
    ],
)
def test_a_broken_card_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "persona.toml").write_text(text)
    with pytest.raises(UserError, match=said):
        load_persona(tmp_path / "p")


def test_a_broken_persona_does_not_hide_the_others(tmp_path: Path) -> None:
    write_card(tmp_path / "good", Card(speaker="A", base="b"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "persona.toml").write_text("?")
    (tmp_path / "no-persona").mkdir()
    found, broken = load_personas(tmp_path)
    assert [persona.id for persona in found] == ["good"]
    assert len(broken) == 1


def test_a_folder_whose_name_cannot_be_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be a persona's id"):
        write_card(tmp_path / ".. evil", Card(speaker="A", base="b"))
