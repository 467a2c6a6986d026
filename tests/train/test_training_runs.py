"""Runs of the whole command with the real axolotl, on a tiny random model: stopped, killed, resumed, complete."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from persona.card import load_personas
from tests.endpoints import ROOT
from train.environment import training_environ, training_python
from train.recipe import find_recipe, read_recipe
from train.runs import last_checkpoint

TINY_LLAMA = """
import sys
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = LlamaConfig(
    vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
)
LlamaForCausalLM(config).save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
"""

TALK = [
    [("Ann", "where are you?"), ("Bo", "aye aye captain"), ("Ann", "Nobody asks."), ("Bo", "aye")],
    [("Bo", "aye"), ("Ann", "Quite so."), ("Bo", "aye aye"), ("Ann", "Indeed.")],
    [("Ann", "Good day."), ("Ann", "Indeed.")],
]
STEPS = 480


@pytest.fixture(scope="module")
def data(base_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private folder with a tiny base, a set, and beside it a recipe of many short steps."""
    data = tmp_path_factory.mktemp("data")
    (data / "models").mkdir()
    python = training_python()
    make = [str(python), "-c", TINY_LLAMA, str(base_weights), str(data / "models" / "tiny")]
    subprocess.run(make, check=True, env={**training_environ(python), "HF_HUB_OFFLINE": "1"})
    (data / "dataset").mkdir()
    lines = [
        {"conversations": [{"from": who, "value": what, "train": place > 0} for place, (who, what) in enumerate(talk)]}
        for talk in TALK
    ]
    for name, repeated in (("train.jsonl", 4), ("eval.jsonl", 1)):
        (data / "dataset" / name).write_text("".join(json.dumps(line) + "\n" for line in lines * repeated))
    recipe = read_recipe(find_recipe("smollm2-lora-cpu"))
    recipe |= {"base_model": "tiny", "peft_layers_to_transform": [0, 1], "num_epochs": STEPS // 6}
    recipe |= {"saves_per_epoch": None, "save_steps": 10, "evals_per_epoch": None, "eval_steps": 60}
    (data / "tiny.yml").write_text(yaml.safe_dump({key: value for key, value in recipe.items() if value is not None}))
    return data


def start(data: Path, *arguments: object) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "scripts.cli", "train", *map(str, arguments), "--data", str(data)]
    # One thread: a tiny model's steps are too short to share, and two threads wait for each other on a busy machine.
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=environ, start_new_session=True
    )


def until(what: Callable[[], object], process: subprocess.Popen[str], wait_s: float = 240) -> None:
    end = time.monotonic() + wait_s
    while not what():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < end
        time.sleep(0.05)


def step(out: Path) -> int:
    saved = last_checkpoint(out)
    return int(saved.name.rpartition("-")[2]) if saved else 0


@pytest.mark.train
@pytest.mark.slow
def test_a_run_that_was_stopped_and_then_killed_goes_on_to_a_complete_result(data: Path) -> None:
    run, out = data / "runs" / "tiny-1", data / "runs" / "tiny-1" / "out"

    process = start(data, data / "tiny.yml")
    until(lambda: step(out) >= 10, process)
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate()[0]
    assert process.returncode == 130, said[-3000:]
    assert "A checkpoint is saved. Go on with: greenroom train --resume tiny-1" in said
    stopped_at = step(out)
    assert 10 <= stopped_at < STEPS
    assert not (run / "stage.json").exists()

    process = start(data, "--resume")
    until(lambda: step(out) >= stopped_at + 10, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in children:
        child.kill()
    assert f"joint: going on from checkpoint-{stopped_at}" in process.communicate()[0]
    killed_at = step(out)
    assert killed_at < STEPS
    assert not load_personas(data / "personas")[0]

    process = start(data, "--resume", "tiny-1")
    said = process.communicate()[0]
    assert process.returncode == 0, said[-3000:]
    assert f"joint: going on from checkpoint-{killed_at}" in said
    state = json.loads((out / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    logged = [row["step"] for row in state["log_history"] if "loss" in row]
    assert logged == list(range(5, STEPS + 1, 5))  # nothing twice, nothing left out
    assert {persona.id for persona in load_personas(data / "personas")[0]} == {"ann", "bo"}
    assert "loss by epoch; training, held out" in said
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["stages"]["joint"]["steps"] == STEPS
    assert summary["personas"] == {"ann": 1, "bo": 1}
    made_by = load_personas(data / "personas")[0][0].card.made_by
    assert (made_by["run"], made_by["recipe"], made_by["adapter"]) == ("tiny-1", "tiny", "shared")
    assert {"recipe_sha256", "dataset_sha256", "tokens", "loss", "held_out_loss", "day", "axolotl", "peft"} <= set(
        made_by
    )
    assert all(path.stat().st_mode & 0o077 == 0 for path in run.iterdir() if path.suffix in {".log", ".json", ".png"})


@pytest.mark.train
@pytest.mark.slow
def test_a_recipe_that_axolotl_refuses_says_which_key_is_wrong(data: Path) -> None:
    recipe = read_recipe(data / "tiny.yml")
    (data / "wrong.yml").write_text(yaml.safe_dump({**recipe, "warmup_ratio": "often"}))
    process = start(data, data / "wrong.yml")
    said = process.communicate()[0]
    assert process.returncode == 2
    last = said.strip().splitlines()[-1]
    assert re.match(r"greenroom: joint: axolotl does not take the recipe \(warmup_ratio: ", last), last


@pytest.mark.train
@pytest.mark.slow
def test_a_full_fine_tune_becomes_a_base_of_its_own_with_a_persona_for_each_speaker(data: Path) -> None:
    recipe = read_recipe(find_recipe("smollm2-lora-cpu"))
    whole = {
        key: value
        for key, value in recipe.items()
        if "lora" not in key and key not in {"adapter", "peft_layers_to_transform"}
    }
    (data / "whole.yml").write_text(yaml.safe_dump({**whole, "base_model": "tiny", "num_epochs": 4}))
    process = start(data, data / "whole.yml")
    said = process.communicate()[0]
    assert process.returncode == 0, said[-3000:]
    base = data / "models" / "whole-1"
    assert json.loads((base / "config.json").read_text())["hidden_size"] == 32
    assert (base / "tokenizer.json").is_file()
    for persona in load_personas(data / "personas")[0]:
        assert (persona.card.base, persona.adapter) == ("whole-1", None)
        made_by = persona.card.made_by
        assert float(made_by["held_out_loss"]) < float(made_by["held_out_loss_base"])
