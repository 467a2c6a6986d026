"""A sweep runs every combination that axolotl makes of it, and its table says which foresees whom best."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from persona.errors import UserError
from tests.endpoints import ROOT
from train.recipe import RECIPES
from train.sweep import find_sweep, read_sweep, trials_of

TALK = [("Ann", "where are you?"), ("Bo", "aye aye captain"), ("Ann", "Nobody asks."), ("Bo", "aye")]


def greenroom(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is a mapping"),
        ("- 1", "is a mapping"),
        ("lora_r: 8", "lora_r is not a list of values to try"),
        ("lora_r: []", "lora_r is not a list"),
        ("_: [1, 2]", "is a mapping of settings"),
        ("lora_r: [", "cannot be read as a sweep"),
    ],
)
def test_a_sweep_that_axolotl_would_stumble_over_is_refused_before(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.yml").write_text(text)
    with pytest.raises(UserError, match=said):
        read_sweep(tmp_path / "mine.yml")


def test_a_sweep_is_found_by_name_or_path(tmp_path: Path) -> None:
    assert find_sweep("lora") == RECIPES / "sweeps" / "lora.yml"
    (tmp_path / "mine.yml").write_text("lora_r: [8]")
    assert find_sweep(str(tmp_path / "mine.yml")) == tmp_path / "mine.yml"
    with pytest.raises(UserError, match="lora"):
        find_sweep("lorra")


def test_a_recipe_that_trains_every_weight_is_refused(tmp_path: Path) -> None:
    from train.sweep import run_sweep

    with pytest.raises(UserError, match="every weight"):
        run_sweep({"base_model": "x", "datasets": []}, find_sweep("lora"), tmp_path, tmp_path, tmp_path)


@pytest.mark.train
def test_the_combinations_are_axolotls(tmp_path: Path) -> None:
    """All of them, each once, choices under `_` kept together; in axolotl's order and folders."""
    sweep = read_sweep(find_sweep("lora"))
    trials = trials_of(find_sweep("lora"), tmp_path)
    together = sweep.pop("_")
    expected = len(together)
    for values in sweep.values():
        expected *= len(values)
    assert len({json.dumps(trial.settings, sort_keys=True) for trial in trials}) == len(trials) == expected
    assert all({key: trial.settings[key] for key in together[0]} in together for trial in trials)
    assert trials[0].adapter == str(tmp_path / "sweep0001")


@pytest.mark.train
@pytest.mark.slow
def test_runs_are_trained_scored_and_tabled_and_one_that_fails_leaves_the_others(
    base_weights: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "dataset").mkdir(parents=True)
    (data / "models").symlink_to(base_weights.parent)
    line = {"conversations": [{"from": who, "value": what, "train": True} for who, what in TALK]}
    for name in ("train", "eval"):
        (data / "dataset" / f"{name}.jsonl").write_text(json.dumps(line) + "\n")
    # Layers that this base does not have, and some that it has.
    sweep = "lora_target_modules: [[no_such_proj], [v_proj]]\nmax_steps: [2]\nlearning_rate: [0.005]\n"
    (tmp_path / "mine.yml").write_text(sweep)
    done = greenroom("sweep", "smollm2-lora-cpu", tmp_path / "mine.yml", "--data", data)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    (run,) = (data / "runs").iterdir()
    found = json.loads((run / "sweep.json").read_text("utf-8"))
    learned, failed = found["trials"]
    assert [trial["settings"]["lora_target_modules"] for trial in found["trials"]] == [["v_proj"], ["no_such_proj"]]
    assert not failed["losses"]
    assert learned["losses"].keys() == found["base"].keys() == {"Ann", "Bo"}
    for speaker, of_base in found["base"].items():
        assert learned["losses"][speaker] < of_base
    assert f"Best on average: {learned['name']}" in done.stdout
    assert "failed" in done.stdout
    assert (Path(learned["adapter"]) / "adapter_config.json").is_file()
