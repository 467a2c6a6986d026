"""Runs: what is whole, what is done, and who holds one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from persona.errors import UserError
from train.losses import curve_of
from train.runs import Done, Plan, Run, Stage, clear_leftovers, find_run, last_checkpoint, left_unfinished, new_run

PLAN = Plan("tiny", "/set", "abc", "/base", ["Ann", "Bo"], per_persona=True)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    recipe = tmp_path / "tiny.yml"
    recipe.write_text("base_model: x\n")
    return new_run(tmp_path, PLAN, recipe)


def checkpoint(out: Path, step: int, *, whole: bool = True) -> Path:
    folder = out / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    state = {"global_step": step, "epoch": step / 10, "log_history": [
        {"epoch": 0, "eval_loss": 4.5}, {"epoch": 0.5, "loss": 3.0}, {"epoch": 1.0, "eval_loss": 2.5}]}  # fmt: skip
    (folder / "trainer_state.json").write_text(json.dumps(state)[: None if whole else 20])
    return folder


def test_two_runs_of_one_name_are_told_apart(run: Run, tmp_path: Path) -> None:
    assert Plan("tiny", "/set", "abc", "/base", ["Ann"]).id != run.plan.id
    assert find_run(tmp_path, "tiny-1").plan.id == run.plan.id


def test_a_run_that_was_to_do_the_same_is_remembered_until_it_is_finished(run: Run, tmp_path: Path) -> None:
    again = Plan("tiny", "/set", "abc", "/base", ["Ann", "Bo"], per_persona=True)
    found = left_unfinished(tmp_path, again)
    assert found is not None
    assert found.name == run.name
    assert left_unfinished(tmp_path, Plan("tiny", "/set", "other", "/base", ["Ann"], per_persona=True)) is None
    (run.folder / "summary.json").write_text("{}")
    assert left_unfinished(tmp_path, again) is None


def test_runs_are_numbered_and_only_their_owner_can_read_them(run: Run, tmp_path: Path) -> None:
    assert run.name == "tiny-1"
    assert new_run(tmp_path, PLAN, tmp_path / "tiny.yml").name == "tiny-2"
    assert run.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in run.folder.iterdir())


def test_the_last_checkpoint_is_the_newest_that_is_whole(run: Run) -> None:
    out = run.joint.out
    assert last_checkpoint(out) is None
    checkpoint(out, 9)
    ten = checkpoint(out, 10)
    checkpoint(out, 11, whole=False)
    (out / "checkpoint-12").mkdir()
    (out / "checkpoint-best").mkdir()
    assert last_checkpoint(out) == ten
    clear_leftovers(run.joint)
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint-10", "checkpoint-9", "checkpoint-best"]


def test_leftovers_of_a_killed_preparation_go_and_what_was_prepared_stays(run: Run) -> None:
    prepared = run.folder / "prepared"
    (prepared / "hash").mkdir(parents=True)
    for name in ("process_counter.txt", "datasets_ready.flag", "datasets_prep.lock"):
        (prepared / name).write_text("1")
    clear_leftovers(run.joint)
    assert [path.name for path in prepared.iterdir()] == ["hash"]


def test_a_stage_is_done_when_it_says_so_and_the_speakers_follow_the_joint_one(run: Run) -> None:
    assert [stage.name for stage in run.stages] == ["joint", "Ann", "Bo"]
    assert run.own("Out").out != run.joint.out  # whatever a person is called
    assert run.joint.done is None
    done = Done(seconds=2.0, tokens=100, tokens_per_second=50.0, steps=3, epochs=1.0)
    run.joint.mark_done(done)
    assert run.joint.done == done
    assert run.own("Ann").done is None


def test_the_newest_unfinished_run_is_found_and_a_finished_one_is_refused(run: Run, tmp_path: Path) -> None:
    assert find_run(tmp_path, None).folder == run.folder
    assert find_run(tmp_path, "tiny-1").plan == PLAN
    assert find_run(tmp_path, str(run.folder)).plan == PLAN
    (run.folder / "summary.json").write_text("{}")
    with pytest.raises(UserError, match="is finished"):
        find_run(tmp_path, "tiny-1")
    with pytest.raises(UserError, match="left unfinished"):
        find_run(tmp_path, None)
    other = new_run(tmp_path, PLAN, tmp_path / "tiny.yml")
    with pytest.raises(UserError, match="Unfinished ones: tiny-2"):
        find_run(tmp_path, "tiny-9")
    (other.folder / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json"):
        find_run(tmp_path, "tiny-2")


def test_a_run_is_held_by_one_process(run: Run) -> None:
    with run.locked(), pytest.raises(UserError, match=f"under way already, in process {os.getpid()}"), run.locked():
        pass
    with run.locked():
        pass


def test_what_a_killed_process_left_running_is_waited_for(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    with run.locked() as lock:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,))
        (run.folder / "lock").write_text(str(ended.pid))  # whoever held it is no more
    threading.Timer(1, child.communicate, (b"\n",)).start()
    with run.locked():
        assert child.wait(10) == 0
    assert "Waiting for what a killed start left" in capsys.readouterr().out


def test_the_curve_is_that_of_the_last_checkpoint(run: Run) -> None:
    checkpoint(run.joint.out, 10)
    curve = curve_of(run.joint)
    assert (curve.training, curve.evaluation) == ([(0.5, 3.0)], [(0.0, 4.5), (1.0, 2.5)])
    assert (curve.epochs, curve.steps) == (1.0, 10)


def test_without_a_checkpoint_the_curve_is_read_from_what_axolotl_printed(tmp_path: Path) -> None:
    stage = Stage("joint", tmp_path)
    stage.log.write_text(
        "{'eval_loss': '4.548', 'eval_runtime': '7.471', 'epoch': 0}\nnoise {'loss': 1}\n"
        "{'loss': '3.831', 'grad_norm': '2.108', 'tokens/total': 258, 'epoch': '0.8333'}\n{'loss': broken}\n"
    )
    curve = curve_of(stage)
    assert (curve.training, curve.evaluation, curve.epochs) == ([(0.8333, 3.831)], [(0.0, 4.548)], 0.8333)
    assert curve_of(Stage("nothing", tmp_path / "none")).training == []
