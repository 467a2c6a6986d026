"""Which stages a run has, and that those which are done are not done again.

A small program stands in for axolotl: what is tested is what it is given and when it is started.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from persona.errors import UserError
from train import training
from train.dataset.tokens import ESTIMATE
from train.preparation import resumed
from train.recipe import find_recipe, read_recipe
from train.runs import Plan, Run, new_run
from train.training import results_of, train_stages

pytestmark = pytest.mark.slow

AXOLOTL = f"""#!{sys.executable}
import json, pathlib, sys, yaml
recipe = yaml.safe_load(open(sys.argv[2]))
out = pathlib.Path(recipe["output_dir"])
state = {{"global_step": 5, "epoch": recipe["num_epochs"], "log_history": [{{"epoch": 0.5, "loss": 2.0}}]}}
(out / "checkpoint-5").mkdir(parents=True)
(out / "checkpoint-5" / "trainer_state.json").write_text(json.dumps(state))
print("Starting trainer...")
if out.parent.name == "bo" and not pathlib.Path(__file__).with_name("mended").exists():
    sys.exit("ModuleNotFoundError: No module named 'moon'")
(out / "adapter_model.safetensors").write_text("")
print("Training completed!")
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "axolotl").write_text(AXOLOTL)
    (bin_folder / "axolotl").chmod(0o700)
    monkeypatch.setattr(training, "training_python", lambda: bin_folder / "python")
    sets = tmp_path / "set"
    sets.mkdir()
    ann, bo = {"from": "Ann", "value": "No.", "train": True}, {"from": "Bo", "value": "aye", "train": True}
    for name, talks in (("train.jsonl", [[ann, bo], [bo, ann]]), ("eval.jsonl", [[bo]])):
        (sets / name).write_text("".join(json.dumps({"conversations": talk}) + "\n" for talk in talks))
    plan = Plan("smollm2-lora-cpu", str(sets), "", str(tmp_path), ["Ann", "Bo"], per_persona=True)
    return new_run(tmp_path, plan, find_recipe("smollm2-lora-cpu"))


def given(run: Run, folder: str = "") -> Any:
    return yaml.safe_load((run.folder / folder / "config.yml").read_text())


def test_what_is_done_stays_done_and_the_rest_goes_on(run: Run, tmp_path: Path) -> None:
    recipe = read_recipe(find_recipe("smollm2-lora-cpu"))
    with pytest.raises(UserError, match="Bo: the training environment has no moon"):
        train_stages(run, recipe, ESTIMATE)
    assert run.joint.done
    assert run.own("Ann").done
    assert not run.own("Bo").done
    before = {stage: stage.log.stat().st_mtime_ns for stage in (run.joint, run.own("Ann"))}
    (tmp_path / "bin" / "mended").touch()
    # What the failed attempt saved is gone on from, though this program would rather begin.
    (run.folder / "own" / "bo" / "out" / "checkpoint-5" / "trainer_state.json").unlink()
    train_stages(run, recipe, ESTIMATE)
    assert {stage: stage.log.stat().st_mtime_ns for stage in before} == before
    assert run.own("Bo").done
    assert results_of(run) == {"Ann": run.folder / "own" / "ann" / "out", "Bo": run.folder / "own" / "bo" / "out"}


def test_a_speakers_own_stage_goes_on_from_the_joint_adapter_with_their_turns(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bin" / "mended").touch()
    recipe = read_recipe(find_recipe("smollm2-lora-cpu"))
    train_stages(run, recipe, ESTIMATE)
    joint, own = given(run), given(run, "own/ann")
    assert "lora_model_dir" not in joint
    assert own["lora_model_dir"] == joint["output_dir"]
    assert own["num_epochs"] == training.OWN_EPOCHS
    assert own["learning_rate"] == pytest.approx(training.OWN_RATE * recipe["learning_rate"])
    assert own["datasets"][0]["path"] == str(run.folder / "own" / "ann" / "train.jsonl")
    # Ann said nothing in what is held out, and axolotl refuses an empty set.
    assert "test_datasets" not in own
    assert "test_datasets" in given(run, "own/bo")


def test_a_joint_adapter_made_before_is_not_trained_again(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bin" / "mended").touch()
    plan = Plan(**{**{name: getattr(run.plan, name) for name in run.plan.__struct_fields__}, "start_from": "/before"})
    other = Run(run.folder, plan)
    train_stages(other, read_recipe(find_recipe("smollm2-lora-cpu")), ESTIMATE)
    assert not (run.folder / "config.yml").exists()
    assert given(run, "own/bo")["lora_model_dir"] == "/before"


def test_a_run_does_not_go_on_with_another_set_than_it_began_with(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is another than the run smollm2-lora-cpu-1 began with\. Start a new run"):
        resumed(tmp_path, None)
