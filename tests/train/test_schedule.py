"""Stages run in turn or one on each GPU, stop at a checkpoint, and are never taken for done when they are not.

A small program stands in for axolotl, which has no GPUs here to be spread over; real processes, signals and files.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from persona.errors import UserError
from train.runs import Stage, last_checkpoint
from train.schedule import Job, Stopped, cards_for_own, run_jobs

pytestmark = pytest.mark.slow

TRAINER = """
import json, os, pathlib, signal, sys, time
import yaml
recipe = yaml.safe_load(open(sys.argv[1]))
out = pathlib.Path(recipe["output_dir"])
out.mkdir(exist_ok=True)
def note(what):
    with open(recipe["diary"], "a") as diary:
        diary.write(json.dumps([what, out.parent.name, os.environ.get("CUDA_VISIBLE_DEVICES"), time.time()]) + "\\n")
def save(step):
    folder = out / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "epoch": step, "log_history": []}))
def finish(*_):  # as axolotl does at Ctrl+C
    (out / "adapter_model.safetensors").write_text("half")
    sys.exit(0)
signal.signal(signal.SIGINT, finish)
note("start")
print("[INFO] Starting trainer...", flush=True)
if recipe.get("crash"):
    print("torch.OutOfMemoryError: CUDA out of memory.", file=sys.stderr)
    sys.exit(1)
first = int(recipe.get("resume_from_checkpoint", "-0").rpartition("-")[2])
for step in range(first + 1, recipe["steps"] + 1):
    time.sleep(0.05)
    print(f"\\r {step}%", end="", flush=True)
    if (out / "axolotl_checkpoint.save").exists():
        (out / "axolotl_checkpoint.save").unlink()
        save(step)
print("\\n[INFO] Training completed! Saving", flush=True)
(out / "adapter_model.safetensors").write_text("whole")
note("end")
"""


class World:
    """Stages under a folder, a diary of what ran when and where, and which of them came to their end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "trainer.py").write_text(TRAINER)
        self.finished: list[str] = []

    def job(self, name: str, steps: int = 4, crash: bool = False) -> Job:
        stage = Stage(name, self.folder / name)
        stage.folder.mkdir(exist_ok=True)
        recipe = {"output_dir": str(stage.out), "steps": steps, "crash": crash, "diary": str(self.folder / "diary")}
        return Job(stage, recipe, lambda seconds: self.finished.append(name))

    def command(self, config: Path) -> list[str]:
        return [sys.executable, str(self.folder / "trainer.py"), str(config)]

    def diary(self, what: str) -> list[tuple[str, str | None]]:
        rows = [json.loads(line) for line in (self.folder / "diary").read_text().splitlines()]
        return [(name, card) for kind, name, card, _ in rows if kind == what]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_without_gpus_stages_run_in_turn_and_their_output_is_shown_and_kept(
    world: World, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    run_jobs([world.job("a"), world.job("b")], world.command, os.environ)
    rows = [json.loads(line)[:2] for line in (world.folder / "diary").read_text().splitlines()]
    assert rows == [["start", "a"], ["end", "a"], ["start", "b"], ["end", "b"]]
    assert world.finished == ["a", "b"]
    shown = capfdbinary.readouterr().out
    assert shown.count(b"Training completed!") == 2
    assert b"\r 1%" in shown
    log = (world.folder / "a" / "train.log").read_text()
    assert "Starting trainer" in log
    assert " 1%" not in log  # of a progress bar only its end is kept
    assert " 4%" in log


def test_each_gpu_has_one_stage_at_a_time_and_the_next_goes_to_the_first_that_is_free(
    world: World, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    jobs = [world.job("long", steps=40), *(world.job(name, steps=3) for name in "abcd")]
    run_jobs(jobs, world.command, os.environ, cards=("0", "GPU-7f"))
    assert sorted(world.finished) == ["a", "b", "c", "d", "long"]
    cards = dict(world.diary("start"))
    assert cards["long"] == "0"
    assert {cards[name] for name in "abcd"} == {"GPU-7f"}
    assert b"[long] [INFO] Starting trainer" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("visible", "count", "cards"),
    [(None, 0, [None]), (None, 2, ["0", "1"]), ("2,5", 2, ["2", "5"]), ("GPU-a, GPU-b", 2, ["GPU-a", "GPU-b"])],
)
def test_the_gpus_are_those_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, count: int, cards: list[str | None]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert list(cards_for_own(count)) == cards


def test_a_failure_is_explained_lets_the_others_end_and_starts_no_more(world: World) -> None:
    jobs = [world.job("long", steps=20), world.job("bad", crash=True), world.job("never")]
    with pytest.raises(UserError, match=r"bad: the GPU's memory was not enough.*bad/train\.log"):
        run_jobs(jobs, world.command, os.environ, cards=("0", "1"))
    assert world.finished == ["long"]
    assert not (world.folder / "never" / "config.yml").exists()


def press(after: float) -> None:
    """Ctrl+C to this process alone, as the terminal sends it to the command and not to axolotl's own session."""
    threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_ctrl_c_saves_a_checkpoint_and_the_next_start_goes_on_from_it(world: World) -> None:
    job = world.job("a", steps=200)
    press(1.5)
    with pytest.raises(Stopped, match="A checkpoint is saved"):
        run_jobs([job], world.command, os.environ)
    saved = last_checkpoint(job.stage.out)
    assert saved is not None
    assert world.finished == []
    again = world.job("a", steps=int(saved.name.rpartition("-")[2]) + 2)
    run_jobs([again], world.command, os.environ)
    assert world.finished == ["a"]
    assert again.recipe["resume_from_checkpoint"] == str(saved)


def test_a_terminal_that_was_closed_keeps_nothing_from_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        run_jobs([world.job("a")], world.command, os.environ)
        assert world.finished == ["a"]
        assert "Training completed!" in (tmp_path / "a" / "train.log").read_text()
        # What could not be written is still waiting in the buffer, and closing would try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_half_an_adapter_saved_on_the_way_out_is_not_a_result(world: World) -> None:
    """axolotl itself, told to stop, saves what it has and leaves with code 0."""
    job = world.job("a", steps=200)

    def interrupt() -> None:
        while not (world.folder / "diary").exists():
            time.sleep(0.05)
        time.sleep(0.3)
        (pid,) = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and str(world.folder / "trainer.py") in _command_line(entry)
        ]
        os.kill(pid, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(UserError, match="ended without a result"):
        run_jobs([job], world.command, os.environ)
    assert (job.stage.out / "adapter_model.safetensors").read_text() == "half"
    assert world.finished == []


def _command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text()
    except OSError:
        return ""
