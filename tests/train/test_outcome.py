"""What a run came to: personas with a card of how they were made, made once; curves in the terminal and as a picture."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from persona.card import Context, load_personas
from tests.endpoints import ROOT, SAMPLE_CAST
from train.environment import training_environ, training_python
from train.outcome import curves_of, register_run, stage_row, write_summary
from train.plots import terminal
from train.register import versions
from train.runs import Done, Plan, Run, find_run, new_run
from train.schedule import result_of

LOSSES = {"base": {"Ann": 3.0}, "Ann": {"Ann": 2.5}, "Bo": {"Ann": 2.75}}
HISTORY = [
    {"epoch": 0, "eval_loss": 4.0},
    {"epoch": 0.5, "loss": 3.0},
    {"epoch": 1.0, "loss": 2.0},
    {"epoch": 1.0, "eval_loss": 2.5},
]


def finished(tmp_path: Path, *, per_persona: bool = False) -> Run:
    """A run whose stages are done, with a real adapter as their result."""
    (tmp_path / "recipe.yml").write_text("base_model: x\n")
    (tmp_path / "set").mkdir(exist_ok=True)
    (tmp_path / "set" / "card.json").write_text("{}")
    plan = Plan("recipe", str(tmp_path / "set"), "abc", "/models/smollm2", ["Ann", "Bo"], per_persona)
    run = new_run(tmp_path, plan, tmp_path / "recipe.yml")
    for stage in run.stages:
        shutil.copytree(SAMPLE_CAST / "milo" / "adapter", stage.out)
        (stage.out / "checkpoint-4").mkdir()
        state = {"global_step": 4, "epoch": 1.0, "log_history": HISTORY}
        (stage.out / "checkpoint-4" / "trainer_state.json").write_text(json.dumps(state))
        stage.mark_done(Done(seconds=60.0, tokens=1000, tokens_per_second=16.7, steps=4, epochs=1.0))
    return run


def test_each_speaker_becomes_a_persona_with_a_card_of_how_it_was_made(tmp_path: Path) -> None:
    run = finished(tmp_path, per_persona=True)
    made = register_run(
        run,
        LOSSES,
        {"axolotl": "0.19.0", "peft": "0.20.0"},
        tmp_path,
        owner="Bo",
        context=lambda who: Context("signal"),
    )
    assert [persona.id for persona in made] == ["ann", "bo"]
    ann, bo = made
    assert (ann.card.base, ann.card.owner, ann.card.context) == ("smollm2", "Bo", Context("signal"))
    assert bo.card.interlocutor == "Ann"
    about = ann.card.made_by
    assert about["recipe"] == "recipe"
    assert about["tokens"] == 2000  # the joint stage's and her own
    assert about["epochs"] == "1 + 1"
    assert (about["adapter"], about["loss"], about["dataset_sha256"]) == ("own", 2.0, "abc")
    assert (about["held_out_loss_base"], about["held_out_loss"]) == (3.0, 2.5)
    assert {"recipe_sha256", "dataset_card_sha256", "day", "axolotl", "peft", "run", "run_id"} <= set(about)
    assert "held_out_loss" not in bo.card.made_by  # nothing of theirs was held out


def test_registering_again_after_a_cut_makes_nothing_twice_and_a_later_run_makes_a_version(tmp_path: Path) -> None:
    run = finished(tmp_path)
    for _ in range(2):
        register_run(run, LOSSES, {}, tmp_path, owner="", context=lambda who: None)
    folder = tmp_path / "personas" / "ann"
    assert versions(folder) == [1]
    # The folder of runs was emptied, so that the next run has the same name.
    shutil.rmtree(tmp_path / "runs")
    again = finished(tmp_path)
    assert again.name == run.name
    register_run(again, LOSSES, {}, tmp_path, owner="", context=lambda who: None)
    assert versions(folder) == [1, 2]
    assert len(load_personas(tmp_path / "personas")[0]) == 2


def test_a_summary_finishes_the_run(tmp_path: Path) -> None:
    run = finished(tmp_path)
    assert find_run(tmp_path, None).folder == run.folder
    made = register_run(run, LOSSES, {}, tmp_path, owner="", context=lambda who: None)
    write_summary(run, LOSSES, made)
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["personas"] == {"ann": 1, "bo": 1}
    assert summary["stages"]["joint"]["tokens_per_second"] == 16.7
    assert run.finished


def test_the_table_says_minutes_speed_and_both_losses_from_start_to_end(tmp_path: Path) -> None:
    run = finished(tmp_path)
    row = stage_row(run.joint, curves_of(run)["joint"])
    assert row == ("joint", "1.0", "4", "17", "3.00 → 2.00", "4.00 → 2.50")


def test_the_curve_in_the_terminal_has_both_lines_and_its_scale(tmp_path: Path) -> None:
    run = finished(tmp_path)
    curves_of(run)
    drawn = terminal(json.loads((run.folder / "history.json").read_text()))
    assert drawn.startswith("joint: loss by epoch; training, held out (o)")
    assert drawn.count("o") > 3
    assert "0.50" in drawn  # an epoch
    assert "4.10" in drawn  # a little above the highest loss
    assert terminal({"joint": {"training": [(1.0, 2.0)], "evaluation": []}}) == ""


@pytest.mark.parametrize(
    ("files", "result"),
    [
        (["adapter_config.json"], None),
        (["adapter_config.json", "adapter_model.safetensors"], "adapter"),
        (["model.safetensors"], "model"),
        (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], "model"),
    ],
)
def test_a_result_is_known_by_its_weights(tmp_path: Path, files: list[str], result: str | None) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert result_of(tmp_path) == result


@pytest.mark.train
def test_the_picture_is_a_png_drawn_by_the_training_environment(tmp_path: Path) -> None:
    run = finished(tmp_path, per_persona=True)
    curves_of(run)
    python, out = training_python(), tmp_path / "loss.png"
    command = [str(python), "-m", "train.plots", str(run.folder / "history.json"), str(out)]
    subprocess.run(command, check=True, env={**os.environ, **training_environ(python)}, cwd=ROOT)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert out.stat().st_size > 10_000
