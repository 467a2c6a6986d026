"""`greenroom personas`: what is exported is what other tools take, and a version can be gone back from."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import pytest

from persona.card import Card, load_persona, write_card
from persona.gguf_lora import read_weights
from tests.endpoints import SAMPLE_CAST
from tests.scripts.test_errors import greenroom, refused


@pytest.fixture
def data(models_only: Path, tmp_path: Path) -> Path:
    """A private folder with Milo in it, and the real base."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "models").symlink_to(models_only / "models")
    assert greenroom("personas", "add", SAMPLE_CAST / "milo", "--data", folder).returncode == 0
    return folder


def test_an_adapter_is_exported_as_it_is(data: Path, tmp_path: Path) -> None:
    done = greenroom("personas", "export", "milo", tmp_path / "out", "--format", "peft", "--data", data)
    assert done.returncode == 0, done.stderr
    ours, theirs = read_weights(tmp_path / "out"), read_weights(SAMPLE_CAST / "milo" / "adapter")
    assert ours.keys() == theirs.keys()
    assert all((ours[key] == theirs[key]).all() for key in ours)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["peft_type"] == "LORA"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "out").iterdir())


@pytest.mark.slow
def test_an_adapter_is_exported_as_gguf(data: Path, tmp_path: Path) -> None:
    assert greenroom("personas", "export", "milo", tmp_path / "milo.gguf", "--data", data).returncode == 0
    assert gguf.GGUFReader(tmp_path / "milo.gguf").fields["adapter.type"].contents() == "lora"
    assert (tmp_path / "milo.gguf").stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["gguf", "peft", "merged"])
def test_what_cannot_be_exported_is_said(data: Path, tmp_path: Path, form: str) -> None:
    to = ("--format", form, "--data", data)
    (tmp_path / "there").touch()
    assert "exists already" in refused("personas", "export", "milo", tmp_path / "there", *to)
    assert "no folder" in refused("personas", "export", "milo", tmp_path / "no" / "where", *to)
    assert "no persona 'mila'" in refused("personas", "export", "mila", tmp_path / "out", *to)
    write_card(data / "personas" / "plain", Card(speaker="Plain", base="smollm2-135m-instruct"))
    assert "has no adapter" in refused("personas", "export", "plain", tmp_path / "out", *to)
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_or_no_persona_is_not_added(data: Path, tmp_path: Path) -> None:
    assert f"There is no {tmp_path}/none.tar" in refused("personas", "add", tmp_path / "none.tar", "--data", data)
    (tmp_path / "notes.txt").write_text("hello")
    assert "neither a persona's folder" in refused("personas", "add", tmp_path / "notes.txt", "--data", data)


def test_a_persona_that_was_added_again_goes_back(data: Path) -> None:
    assert "version 2" in greenroom("personas", "add", SAMPLE_CAST / "milo", "--data", data).stdout
    back = greenroom("personas", "rollback", "milo", "--data", data)
    assert back.returncode == 0, back.stderr
    assert load_persona(data / "personas" / "milo").card.version == 1
    assert greenroom("personas", "rollback", "milo", "--to", "2", "--data", data).returncode == 0
    assert load_persona(data / "personas" / "milo").card.version == 2
    assert "no version 7" in refused("personas", "rollback", "milo", "--to", "7", "--data", data)
