"""A bundle from end to end with the real axolotl, where nothing of Greenroom is but what came along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from persona.card import load_personas
from tests.scripts.test_errors import greenroom
from tests.train.bundles import unpack, write_recipe_for, write_set
from train.environment import training_environ, training_python

pytestmark = [pytest.mark.train, pytest.mark.slow]

TINY = """
import sys
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = LlamaConfig(
    vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
)
LlamaForCausalLM(config).save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
"""
# Bo alone is trained, so there are two stages.
TALK = [[("Ann", "where are you?"), ("Bo", "aye aye captain")], [("Ann", "Indeed."), ("Bo", "aye")]]
EPOCHS, STEPS_AN_EPOCH = 15, 4


def test_a_killed_run_goes_on_and_its_personas_come_home(base_weights: Path, tmp_path: Path) -> None:
    python = training_python()
    data = tmp_path / "data"
    write_set(data / "dataset", TALK)
    (data / "models").mkdir()
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    subprocess.run([python, "-c", TINY, base_weights, data / "models" / "tiny"], check=True, env=environ)
    changes = {"num_epochs": EPOCHS, "save_steps": 4, "saves_per_epoch": None, "save_total_limit": 2}
    recipe = write_recipe_for("data/models/tiny", tmp_path / "quick.yml", evals_per_epoch=None, **changes)
    bundle = tmp_path / "a.bundle"
    packed = greenroom("train", recipe, "--per-persona", "--bundle", bundle, "--data", data)
    assert packed.returncode == 0, packed.stderr
    folder = unpack(bundle, tmp_path / "rented")
    (tmp_path / "elsewhere").mkdir()
    # Nothing of this project is on any path there.
    command = ["bash", "run.sh"]
    bare = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "elsewhere")}

    with (tmp_path / "first.log").open("w") as log:
        first = subprocess.Popen(command, cwd=folder, env=bare, stdout=log, stderr=log, start_new_session=True)
        joint = folder / "work" / "out" / "joint"
        while not list(joint.glob("checkpoint-*/trainer_state.json")) and first.poll() is None:
            time.sleep(0.02)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert not (folder / "work" / "state" / "joint.done").exists(), (tmp_path / "first.log").read_text()[-3000:]

    again = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout[-4000:] + again.stderr[-2000:]
    assert "resume from checkpoint at out/joint/checkpoint-" in again.stdout
    with tarfile.open(folder / "result.tar") as archive:
        state = json.load(archive.extractfile("logs/joint.trainer_state.json"))  # type: ignore[arg-type]
    assert state["global_step"] == EPOCHS * STEPS_AN_EPOCH

    added = greenroom("personas", "add", folder / "result.tar", "--data", data)
    assert added.returncode == 0, added.stderr
    (bo,) = load_personas(data / "personas")[0]
    assert bo.adapter is not None
    made_by = bo.card.made_by
    assert float(made_by["held_out_loss"]) < float(made_by["held_out_loss_base"])
    assert made_by["axolotl"]
