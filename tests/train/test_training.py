"""axolotl for real: recipes pass its own validation, and a small run on the CPU makes personas that are better."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.card import Context, load_personas
from persona.errors import UserError
from persona.template import TURN_END
from tests.endpoints import ROOT
from train.dataset import Options, write_dataset
from train.environment import training_environ, training_python
from train.importing import import_paths
from train.recipe import RECIPES, find_recipe, placed, read_recipe, write_recipe
from train.register import context_of
from train.store import Store
from train.training import read_set, speakers_of, write_own_turns

TALK = [
    [("Ann", "where are you?"), ("Bo", "aye aye captain"), ("Ann", "Nobody asks."), ("Bo", "aye")],
    [("Bo", "aye"), ("Ann", "Quite so."), ("Bo", "aye aye"), ("Ann", "Indeed.")],
    [("Ann", "Good day."), ("Ann", "Indeed.")],
]

TINY_MISTRAL = """
import sys
from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = MistralConfig(
    vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
)
MistralForCausalLM(config).save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    lines = [
        {"conversations": [{"from": who, "value": what, "train": place > 0} for place, (who, what) in enumerate(talk)]}
        for talk in TALK
    ]
    for name, repeated in (("train.jsonl", 4), ("eval.jsonl", 1)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines * repeated))
    return folder


def test_speakers_are_those_who_are_trained(dataset: Path) -> None:
    assert speakers_of(dataset) == ["Ann", "Bo"]


def test_a_persons_own_set_trains_nobody_else_and_ends_with_them(dataset: Path, tmp_path: Path) -> None:
    write_own_turns(dataset, "Bo", tmp_path / "bo")
    own = read_set(tmp_path / "bo" / "eval.jsonl")
    assert [[turn["value"] for turn in talk if turn["train"]] for talk in own] == [
        ["aye aye captain", "aye"],
        ["aye aye"],
    ]
    assert all(talk[-1]["from"] == "Bo" for talk in own)
    assert own[0][0] == {"from": "Ann", "value": "where are you?", "train": False}


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("{", "not a dataset"), ('{"a": 1}', "not a dataset")])
def test_a_broken_dataset_is_said_to_be_one(dataset: Path, text: str, said: str) -> None:
    (dataset / "train.jsonl").write_text(text)
    with pytest.raises(UserError, match=said):
        speakers_of(dataset)


@pytest.mark.parametrize("form", ["chatml", "messages"])
def test_a_set_in_a_format_for_other_trainers_says_so_in_one_line(
    store: Store,
    tmp_path: Path,
    telegram_chat: Callable[..., Path],
    telegram_row: Callable[..., dict[str, Any]],
    form: Any,
) -> None:
    import_paths(store, [telegram_chat([telegram_row(1, "Bob"), telegram_row(2, "Alice")])])
    write_dataset(store, tmp_path / "set", Options(("Alice",), min_messages=1, eval_share=0, format=form))
    command = [sys.executable, "-m", "scripts.cli", "train", "smollm2-lora-cpu", "--dataset", str(tmp_path / "set")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert f"train.jsonl is in the format {form}" in line
    assert "greenroom dataset --force" in line


def test_what_a_set_was_made_with_is_what_its_personas_are_given(
    store: Store, tmp_path: Path, telegram_chat: Callable[..., Path], telegram_row: Callable[..., dict[str, Any]]
) -> None:
    import_paths(store, [telegram_chat([telegram_row(1, "Bob"), telegram_row(2, "Alice")])])
    for context in (True, False):
        options = Options(("Alice",), min_messages=1, eval_share=0, context=context)
        write_dataset(store, tmp_path / "set", options, force=True)
        assert context_of(tmp_path / "set")("Alice") == (Context("telegram") if context else None)


def test_a_set_without_a_card_has_no_context_and_a_broken_card_is_said_to_be_one(dataset: Path) -> None:
    assert context_of(dataset)("Ann") is None
    (dataset / "card.json").write_text('{"options": 1}')
    with pytest.raises(UserError, match=r"card\.json.*options"):
        context_of(dataset)


def test_the_link_that_the_documented_command_needs() -> None:
    assert (ROOT / "configs" / "mistral-fsdp.yml").resolve() == RECIPES / "mistral-fsdp.yml"


@pytest.mark.parametrize("recipe", sorted(path.stem for path in RECIPES.glob("*.yml")))
def test_every_recipe_renames_nobody_and_trains_the_mark_that_closes_a_turn(recipe: str) -> None:
    """Without either, axolotl goes on in silence with what tests/test_labels.py would find wrong."""
    settings = read_recipe(find_recipe(recipe))
    assert settings["eot_tokens"] == [TURN_END]
    for dataset in settings["datasets"] + settings["test_datasets"]:
        assert dataset["roles"] == {"system": ["system"]}
        assert dataset["train_on_eos"] == "turn"
        assert dataset["roles_to_train"] == []


@pytest.mark.train
def test_the_fsdp_recipe_passes_axolotls_own_validation(base_weights: Path, dataset: Path, tmp_path: Path) -> None:
    """With a tiny random Mistral in the place of seven billion parameters."""
    python = training_python()
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    tiny = tmp_path / "tiny"
    subprocess.run([python, "-c", TINY_MISTRAL, base_weights, tiny], check=True, env=environ)
    recipe = placed(
        read_recipe(find_recipe("mistral-fsdp")),
        base=tiny,
        train=dataset / "train.jsonl",
        evaluation=dataset / "eval.jsonl",
        run=tmp_path,
    )
    write_recipe(recipe, tmp_path / "config.yml")
    done = subprocess.run(
        [python.with_name("axolotl"), "preprocess", tmp_path / "config.yml"],
        env=environ,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Success! Preprocessed data" in done.stdout + done.stderr


@pytest.mark.train
@pytest.mark.slow
def test_train_makes_personas_that_foresee_their_person_better(
    base_weights: Path, dataset: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(base_weights.parent)
    card = {"options": {"context": True}, "platforms": {"Ann": "telegram", "Bo": "sms"}}
    (dataset / "card.json").write_text(json.dumps(card))
    dataset.rename(data / "dataset")
    command = [sys.executable, "-m", "scripts.cli", "train", "smollm2-lora-cpu", "--per-persona", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    personas, broken = load_personas(data / "personas")
    assert not broken
    assert [persona.id for persona in personas] == ["ann", "bo"]
    assert [persona.card.context for persona in personas] == [Context("telegram"), Context("sms")]
    for persona in personas:
        assert persona.adapter is not None
        made_by = persona.card.made_by
        assert float(made_by["held_out_loss"]) < float(made_by["held_out_loss_base"]) - 0.5
        config = json.loads((persona.adapter / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == base_weights.name
        assert str(tmp_path) not in json.dumps(config)
