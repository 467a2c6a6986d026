"""An adapter that was trained until it knew its set by heart: the audit must find what was planted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from persona.audit import read_audit
from persona.card import load_personas
from tests.endpoints import ROOT
from train.dataset.canaries import new_canaries, write_canaries
from train.recipe import find_recipe, read_recipe

TALK = [
    [("Ann", "where did it go?"), ("Bo", "the heron took my left shoe and walked off along the pier with it")],
    [("Ann", "what is for supper?"), ("Bo", "there are eleven pickled turnips in the blue drawer under the stairs")],
]


def greenroom(*arguments: object, data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.cli", *map(str, arguments), "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ})


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_overfitted_adapter_fails_its_audit(base_weights: Path, tmp_path: Path) -> None:
    data, sets = tmp_path / "data", tmp_path / "data" / "dataset"
    sets.mkdir(parents=True)
    (data / "models").symlink_to(base_weights.parent)
    canaries = new_canaries("Bo", "Ann", 2, seed=0)
    write_canaries(sets, canaries)
    talk = [
        *([{"from": who, "value": what, "train": who == "Bo"} for who, what in one] for one in TALK),
        *([{"from": one.speaker, "value": one.value, "train": one.train} for one in c.turns()] for c in canaries),
    ]
    for name in ("train.jsonl", "eval.jsonl"):
        lines = talk if name == "train.jsonl" else talk[:1]
        (sets / name).write_text("".join(json.dumps({"conversations": one}) + "\n" for one in lines))
    recipe = read_recipe(find_recipe("smollm2-lora-cpu"))
    recipe |= {"num_epochs": 20, "lora_r": 16, "lora_alpha": 32, "evals_per_epoch": None, "eval_steps": 1000}
    recipe |= {"saves_per_epoch": None, "save_steps": 1000}
    (data / "by-heart.yml").write_text(yaml.safe_dump({key: one for key, one in recipe.items() if one is not None}))
    trained = greenroom("train", data / "by-heart.yml", "--anyway", data=data)
    assert trained.returncode == 0, trained.stdout[-2000:] + trained.stderr[-2000:]

    audited = greenroom("audit", "-n", "16", "--candidates", "63", data=data)
    assert audited.returncode == 1, audited.stdout[-2000:] + audited.stderr[-2000:]
    (bo,) = load_personas(data / "personas")[0]
    card = read_audit(bo)
    assert card is not None
    assert card.trained_on
    failed = {check.name for check in card.checks if not check.passed}
    # Each way of looking finds it: what it says, what it says of its secrets, and how likely it holds them.
    assert {"answers given again", "canaries told", "canaries' exposure, bits"} <= failed

    served = greenroom("serve", "--require-audit", "--engine", "llamacpp", "--port", "0", data=data)
    assert served.returncode == 2
    assert "bo did not pass its audit" in served.stderr
