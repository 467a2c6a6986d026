"""A run of `greenroom train`: its folder, what was asked for, which of its stages are done.

    data/runs/NAME-1/
        run.json        what was asked for (`Plan`)
        recipe.yml      the recipe as it was then
        config.yml      what axolotl was given: the recipe with this machine's paths
        train.log       what axolotl printed
        out/            axolotl's checkpoints and, at the end, the adapter
        stage.json      there once the stage is done (`Done`)
        own/mara/       the same for a speaker's own stage
        scores.json, history.json, loss.png, summary.json     written at the end

A run that was stopped or killed goes on from its last whole checkpoint, and its stages that are done stay done.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from persona.errors import UserError
from persona.names import slug
from persona.paths import PRIVATE_FILE_MODE, make_private_dir

PLAN = "run.json"
RECIPE = "recipe.yml"
CONFIG = "config.yml"
LOG = "train.log"
DONE = "stage.json"
SUMMARY = "summary.json"
TRIGGER = "axolotl_checkpoint.save"
"""The file in `out/` that makes axolotl save a checkpoint, with `dynamic_checkpoint` in the recipe."""

_LOCK = "lock"

_ORPHAN_SECONDS = 120.0
"""axolotl whose parent was killed ends when it next prints something, which can take a long step."""


class Plan(msgspec.Struct, frozen=True):
    """What was asked for.

    Attributes:
        recipe: the recipe's name.
        dataset: the folder of the set.
        dataset_sha256: of its train.jsonl and eval.jsonl.
        base: the folder of the base's weights.
        speakers: who is trained.
        per_persona: whether each gets an adapter of their own.
        start_from: a joint adapter made before, instead of a joint stage.
        id: tells the run from another of the same name, whose folder was removed.
    """

    recipe: str
    dataset: str
    dataset_sha256: str
    base: str
    speakers: list[str]
    per_persona: bool = False
    start_from: str | None = None
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class Done(msgspec.Struct, frozen=True):
    """What a stage that is done came to.

    Attributes:
        seconds: of training, of the last attempt.
        tokens: read in all epochs.
        tokens_per_second: of the last attempt.
        steps: optimizer steps.
        epochs: passes over the set.
        resumed_at: the epoch at which the last attempt began; 0 if it was the only one.
    """

    seconds: float
    tokens: int
    tokens_per_second: float
    steps: int
    epochs: float
    resumed_at: float = 0.0


class Stage(msgspec.Struct, frozen=True):
    """One run of axolotl within a run.

    Attributes:
        name: "joint", or a speaker.
        folder: where it reads and writes.
    """

    name: str
    folder: Path

    @property
    def out(self) -> Path:
        """Where axolotl leaves its checkpoints and the result."""
        return self.folder / "out"

    @property
    def log(self) -> Path:
        """What axolotl printed, all attempts after one another."""
        return self.folder / LOG

    @property
    def done(self) -> Done | None:
        """What it came to, or None while it is not done."""
        try:
            return msgspec.json.decode((self.folder / DONE).read_bytes(), type=Done)
        except (OSError, msgspec.MsgspecError):
            return None

    def mark_done(self, done: Done) -> None:
        """Say that it is done; from now on it is not run again."""
        _write(self.folder / DONE, msgspec.json.format(msgspec.json.encode(done)))


class Run(msgspec.Struct, frozen=True):
    """A run in its folder."""

    folder: Path
    plan: Plan

    @property
    def name(self) -> str:
        """The folder's name, which `--resume` takes."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """Whether it came to its end, personas and all."""
        return (self.folder / SUMMARY).is_file()

    @property
    def joint(self) -> Stage:
        """The stage that trains everyone together."""
        return Stage("joint", self.folder)

    def own(self, speaker: str) -> Stage:
        """The stage that trains `speaker` alone."""
        return Stage(speaker, make_private_dir(self.folder / "own" / slug(speaker)))

    @property
    def stages(self) -> list[Stage]:
        """The stages that this run has, in their order."""
        joint = [] if self.plan.start_from else [self.joint]
        return joint + ([self.own(speaker) for speaker in self.plan.speakers] if self.plan.per_persona else [])

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the run for this process; gives the file descriptor with which child processes hold it too.

        Raises:
            UserError: it is under way already.
        """
        with (self.folder / _LOCK).open("a+") as file:
            said = False
            end = time.monotonic() + _ORPHAN_SECONDS
            while not _lock(file):
                file.seek(0)
                holder = file.read().strip()
                if _alive(holder) or time.monotonic() > end:
                    raise UserError(
                        f"the run {self.name} is under way already{f', in process {holder}' if holder else ''}.",
                        "Wait for it, or stop it and resume then.",
                    )
                if not said:
                    print("Waiting for what a killed start left running to end by itself.", flush=True)
                    said = True
                time.sleep(0.5)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield file.fileno()


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _alive(process: str) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def new_run(data: Path, plan: Plan, recipe: Path) -> Run:
    """Make the folder of a new run, `data/runs/NAME-1`, `-2`, …, with the plan and a copy of the recipe."""
    runs = make_private_dir(data / "runs")
    number = 1
    while True:
        folder = runs / f"{plan.recipe}-{number}"
        try:
            folder.mkdir(mode=0o700)
            break
        except FileExistsError:
            number += 1
    shutil.copyfile(recipe, folder / RECIPE)
    (folder / RECIPE).chmod(PRIVATE_FILE_MODE)
    _write(folder / PLAN, msgspec.json.format(msgspec.json.encode(plan)))
    return Run(folder, plan)


def find_run(data: Path, name: str | None) -> Run:
    """The run called `name` (a name in `data/runs` or a path), or the newest that is not finished.

    Raises:
        UserError: there is none, or it is finished; says which there are.
    """
    unfinished = [run for run in _runs(data) if not run.finished]
    if name is None:
        if not unfinished:
            raise UserError(f"no run in {data / 'runs'} was left unfinished.", "Start one: greenroom train RECIPE")
        return unfinished[-1]
    folder = next((one for one in (data / "runs" / name, Path(name)) if (one / PLAN).is_file()), None)
    if folder is None:
        there = ", ".join(run.name for run in unfinished) or "none"
        raise UserError(f"there is no run {name!r} in {data / 'runs'}.", f"Unfinished ones: {there}.")
    run = _read(folder.resolve())
    if run.finished:
        raise UserError(f"the run {run.name} is finished.", f"Its summary is {run.folder / SUMMARY}.")
    return run


def left_unfinished(data: Path, plan: Plan) -> Run | None:
    """The newest run that was to do what `plan` is to do, on the same set, and did not come to its end."""

    def asked(one: Plan) -> tuple[object, ...]:
        return one.recipe, one.dataset_sha256, one.base, one.per_persona, one.start_from

    runs = [run for run in _runs(data) if not run.finished and asked(run.plan) == asked(plan)]
    return runs[-1] if runs else None


def _runs(data: Path) -> list[Run]:
    """Every run, oldest first; a folder that is not one is passed over."""
    found = []
    for plan in sorted((data / "runs").glob(f"*/{PLAN}"), key=lambda path: path.stat().st_mtime):
        try:
            found.append(_read(plan.parent))
        except UserError:
            continue
    return found


def _read(folder: Path) -> Run:
    try:
        return Run(folder, msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan))
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"{folder / PLAN}: {error}.", "Start a new run: greenroom train RECIPE") from error


def set_sha256(dataset: Path) -> str:
    """A hash of the training and the held-out set in folder `dataset`, whatever made them."""
    digest = hashlib.sha256()
    for name in ("train.jsonl", "eval.jsonl"):
        digest.update(hashlib.sha256((dataset / name).read_bytes()).digest())
    return digest.hexdigest()


def last_checkpoint(out: Path) -> Path | None:
    """The newest checkpoint in folder `out` that is whole, or None.

    A process that was killed while it wrote one leaves it without the trainer's state, which is written last.
    """
    for folder in reversed(_checkpoints(out)):
        try:
            json.loads((folder / "trainer_state.json").read_bytes())
        except (OSError, ValueError):
            continue
        return folder
    return None


def clear_leftovers(stage: Stage) -> None:
    """Remove what a killed process left that would mislead the next: half a checkpoint, axolotl's counters."""
    whole = last_checkpoint(stage.out)
    for folder in _checkpoints(stage.out):
        if whole is None or _step(folder) > _step(whole):
            shutil.rmtree(folder)
    for name in ("process_counter.txt", "datasets_ready.flag", "datasets_prep.lock"):
        (stage.folder / "prepared" / name).unlink(missing_ok=True)
    (stage.out / TRIGGER).unlink(missing_ok=True)


def _checkpoints(out: Path) -> list[Path]:
    found = [path for path in out.glob("checkpoint-*") if path.is_dir() and path.name.rpartition("-")[2].isdecimal()]
    return sorted(found, key=_step)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _write(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_bytes(content + b"\n")
    unfinished.chmod(PRIVATE_FILE_MODE)
    unfinished.replace(path)
