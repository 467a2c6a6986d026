"""Run stages with axolotl: one after the other, or one on each GPU at the same time."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from persona.errors import UserError
from train.axolotl_process import AxolotlProcess, said
from train.failures import explain
from train.recipe import Recipe, write_recipe
from train.runs import CONFIG, Stage, clear_leftovers, last_checkpoint

_POLL_SECONDS = 0.2


class Job:
    """A stage that is ready to run.

    Attributes:
        stage: where.
        recipe: what axolotl is given.
        done: called when it has come to its end, with the seconds that the training itself took.
    """

    def __init__(self, stage: Stage, recipe: Recipe, done: Callable[[float], None]) -> None:
        self.stage = stage
        self.recipe = recipe
        self.done = done

    def start(
        self,
        command: Callable[[Path], list[str]],
        environ: Mapping[str, str],
        show: Callable[[bytes], None],
        lock: int | None,
    ) -> AxolotlProcess:
        """Write the recipe, from the last whole checkpoint on if there is one, and start axolotl on it."""
        clear_leftovers(self.stage)
        checkpoint = last_checkpoint(self.stage.out)
        if checkpoint is not None:
            self.recipe["resume_from_checkpoint"] = str(checkpoint)
            print(f"{self.stage.name}: going on from {checkpoint.name}.", flush=True)
        config = self.stage.folder / CONFIG
        write_recipe(self.recipe, config)
        return AxolotlProcess(self.stage, command(config), environ, show, lock)


class Stopped(KeyboardInterrupt):
    """A person stopped the run; the message says what was saved."""


def run_jobs(
    jobs: Sequence[Job],
    command: Callable[[Path], list[str]],
    environ: Mapping[str, str],
    cards: Sequence[str | None] = (None,),
    lock: int | None = None,
) -> None:
    """Run `jobs` in their order, one on each of `cards` at a time; come back when all are done.

    Args:
        jobs: what to run.
        command: the command line for a config file.
        environ: the environment of each process.
        cards: for each process at a time, its `CUDA_VISIBLE_DEVICES`; None leaves that as it is.
        lock: see `AxolotlProcess`.

    Raises:
        UserError: a job failed; no other was started then, and those under way were let end.
        Stopped: a person pressed Ctrl+C. Each process was asked for a checkpoint and ended after it; at a second
            Ctrl+C, at once.
    """
    waiting = list(jobs)
    free = list(cards)
    running: dict[AxolotlProcess, tuple[Job, str | None]] = {}
    failed: UserError | None = None
    try:
        while running or (waiting and failed is None):
            while waiting and free and failed is None:
                job, card = waiting.pop(0), free.pop(0)
                theirs = environ if card is None else {**environ, "CUDA_VISIBLE_DEVICES": card}
                show = _show if len(cards) == 1 else _tagged(job.stage.name)
                running[job.start(command, theirs, show, lock)] = (job, card)
            for process in [one for one in running if one.poll() is not None]:
                job, card = running.pop(process)
                free.append(card)
                try:
                    _finish(process, job)
                except UserError as error:
                    failed = failed or error
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        saved = _stop(list(running))
        raise Stopped(saved) from None
    finally:
        for process in running:
            process.end()
    if failed is not None:
        raise failed


def _finish(process: AxolotlProcess, job: Job) -> None:
    """Take what a process left.

    Raises:
        UserError: it did not come to its end; says why, and with what setting it would.
    """
    code = process.poll()
    if code == 0 and process.completed and result_of(job.stage.out):
        job.done(time.monotonic() - process.begun if process.begun else 0.0)
        return
    why, hint = explain(said(job.stage), code or 0, job.recipe)
    raise UserError(f"{job.stage.name}: {why} (axolotl's code {code}; all it said is in {job.stage.log})", hint)


def result_of(out: Path) -> str | None:
    """What training left in folder `out`: "adapter", "model" (every weight), or None."""
    if any(out.glob("adapter_model*.safetensors")):
        return "adapter"
    return "model" if any(out.glob("model*.safetensors")) else None


def _stop(running: list[AxolotlProcess]) -> str:
    """Bring processes to a checkpoint and end them; what was saved, in words."""
    asked = [process for process in running if process.ask_to_stop()]
    if not asked:
        return "Nothing new was trained yet."
    with contextlib.suppress(OSError):
        print("\nSaving a checkpoint after this step. Ctrl+C again stops at once.", file=sys.stderr, flush=True)
    left = list(asked)
    try:
        while left:
            left = [process for process in left if process.poll() is None and not process.end_if_saved()]
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return "Stopped without a new checkpoint."
    return "A checkpoint is saved."


def _show(piece: bytes) -> None:
    # A terminal that was closed, or a reader that has left, must not keep the output from the log, nor a checkpoint
    # from being saved.
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _tagged(name: str) -> Callable[[bytes], None]:
    """Shows the lines of one of several processes with its name before each, without the progress bars."""
    rest = b""

    def show(piece: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            seen = line.rpartition(b"\r")[2].strip()
            if seen:
                _show(f"[{name}] ".encode() + seen + b"\n")

    return show


def cards_for_own(count: int) -> Sequence[str | None]:
    """`CUDA_VISIBLE_DEVICES` for each of `count` GPUs, of those that this process may use; [None] without any."""
    if count < 1:
        return [None]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(count)]
    return [name.strip() for name in names][:count]
