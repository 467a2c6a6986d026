"""Personas are made in versions: a new one never touches the files of one that may be being served."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from persona.card import Card, load_persona, load_personas, write_card
from persona.errors import UserError
from tests.endpoints import SAMPLE_CAST
from train.register import copy_persona, register, register_base, rollback, versions

ADAPTER = SAMPLE_CAST / "milo" / "adapter"


def card(about: str) -> Card:
    return Card(speaker="Milo", base="smollm2-135m-instruct", about=about)


def test_each_training_makes_a_version_in_a_folder_of_its_own(tmp_path: Path) -> None:
    first = register(ADAPTER, card("first"), tmp_path)
    assert first.adapter is not None
    before = {path: path.stat() for path in first.adapter.iterdir()}
    second = register(ADAPTER, card("second"), tmp_path)
    assert second.adapter is not None
    assert second.adapter != first.adapter
    assert {path: path.stat() for path in first.adapter.iterdir()} == before
    assert [persona.card.about for persona in load_personas(tmp_path)[0]] == ["second"]
    assert versions(tmp_path / "milo") == [1, 2]


def test_rollback_serves_the_version_before_and_can_be_undone(tmp_path: Path) -> None:
    for about in ("first", "second", "third"):
        register(ADAPTER, card(about), tmp_path)
    folder = tmp_path / "milo"
    assert rollback(folder).card.about == "second"
    assert load_persona(folder).adapter == folder / "versions" / "2" / "adapter"
    assert rollback(folder).card.about == "first"
    with pytest.raises(UserError, match=r"at version 1, and there is no version before this one\. It has 1, 2, 3"):
        rollback(folder)
    assert rollback(folder, 3).card.about == "third"
    with pytest.raises(UserError, match="no version 7"):
        rollback(folder, 7)


def test_what_is_trained_after_a_rollback_is_the_next_number(tmp_path: Path) -> None:
    for about in ("first", "second"):
        register(ADAPTER, card(about), tmp_path)
    rollback(tmp_path / "milo")
    assert register(ADAPTER, card("third"), tmp_path).card.version == 3
    assert versions(tmp_path / "milo") == [1, 2, 3]


def test_a_persona_with_its_adapter_beside_the_card_stays_as_it_is_and_can_be_gone_back_to(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE_CAST / "milo", tmp_path / "milo")
    old = load_persona(tmp_path / "milo")
    assert old.adapter == tmp_path / "milo" / "adapter"
    inode = (old.adapter / "adapter_model.safetensors").stat().st_ino
    new = register(ADAPTER, card("new"), tmp_path)
    assert new.adapter == tmp_path / "milo" / "versions" / "1" / "adapter"
    assert (old.adapter / "adapter_model.safetensors").stat().st_ino == inode
    back = rollback(tmp_path / "milo")
    assert (back.card, back.adapter) == (old.card, old.adapter)
    assert rollback(tmp_path / "milo", 1).card.about == "new"


def test_a_persona_brought_from_elsewhere_is_a_version_too(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    register(ADAPTER, card("mine"), mine)
    for about in ("their first", "theirs"):
        register(ADAPTER, card(about), theirs)
    added = copy_persona(load_persona(theirs / "milo"), mine)
    assert (added.card.about, added.card.version) == ("theirs", 2)
    assert rollback(mine / "milo").card.about == "mine"


def test_a_failed_registration_leaves_the_persona_as_it_was(tmp_path: Path) -> None:
    register(ADAPTER, card("first"), tmp_path)
    with pytest.raises(UserError):
        register(tmp_path / "nothing", card("second"), tmp_path)
    assert versions(tmp_path / "milo") == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["milo"]
    assert load_persona(tmp_path / "milo").card.about == "first"


def test_a_card_that_names_a_version_that_is_not_there_is_broken(tmp_path: Path) -> None:
    write_card(tmp_path / "milo", card(""))
    path = tmp_path / "milo" / "persona.toml"
    path.write_text("version = 4\n" + path.read_text())
    with pytest.raises(UserError, match="there is no version 4"):
        load_persona(tmp_path / "milo")


def test_a_full_fine_tune_becomes_a_base_and_its_personas_need_no_adapter(tmp_path: Path) -> None:
    model = tmp_path / "out"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "training_args.bin", "debug.log"):
        (model / name).write_text(name)
    (model / "checkpoint-4").mkdir()
    base = register_base(model, "mistral-fsdp-1", "a1", tmp_path / "models")
    assert sorted(path.name for path in base.iterdir()) == [
        "config.json",
        "greenroom-run",
        "model.safetensors",
        "tokenizer.json",
    ]
    persona = register(None, Card(speaker="Milo", base=base.name), tmp_path / "personas")
    assert persona.adapter is None
    assert persona.card.base == "mistral-fsdp-1"
    assert register_base(model, "mistral-fsdp-1", "a1", tmp_path / "models") == base
    # Another run of that name, whose folder was removed in between, replaces nothing.
    assert register_base(model, "mistral-fsdp-1", "b2", tmp_path / "models").name == "mistral-fsdp-1-2"
    (model / "model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no model"):
        register_base(model, "other", "a1", tmp_path / "models")
