"""The stages of a run: everyone together and then, if asked, each speaker alone.

A joint adapter learns from everybody's turns (the names in the prompt tell the voices apart), and a short pass over a
person's own turns afterwards helps once more. So `--per-persona` starts from the joint adapter.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.dataset.tokens import TokenCounter
from train.environment import training_environ, training_python
from train.losses import curve_of
from train.recipe import Recipe, number, placed
from train.runs import Done, Run, Stage, last_checkpoint
from train.schedule import Job, result_of, run_jobs
from train.set_stats import stats_of

OWN_EPOCHS = 1
OWN_RATE = 0.7
OWN_ACCUMULATION = 1
"""The pass over a speaker's own turns: this many epochs, at this share of the recipe's learning rate, with a step
after this many batches (a fifth of the data makes few steps as it is)."""

ON_THE_CPU = "train.axolotl_cpu.CpuPlugin"


def speakers_of(dataset: Path) -> list[str]:
    """The speakers trained in the set in folder `dataset`, by their share of it, largest first.

    Raises:
        UserError: there is no set, or nobody is trained in it.
    """
    turns: dict[str, int] = {}
    for conversation in read_set(dataset / "train.jsonl"):
        for turn in conversation:
            if turn["train"]:
                turns[turn["from"]] = turns.get(turn["from"], 0) + 1
    if not turns:
        raise UserError(f"nobody is trained in {dataset}.", "Make the set again: greenroom dataset --persona NAME")
    return sorted(turns, key=lambda speaker: -turns[speaker])


def read_set(path: Path) -> list[list[dict[str, Any]]]:
    """The conversations of a dataset file.

    Raises:
        UserError: it is missing, empty or broken; says where.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        if rows and (form := _other_format(rows[0])):
            raise UserError(
                f"{path} is in the format {form}, and training here takes sharegpt.",
                "Make the set again without --format (greenroom dataset --force), or run axolotl on this one yourself "
                "(docs/training.md).",
            )
        conversations = [row["conversations"] for row in rows]
    except FileNotFoundError as error:
        raise UserError(f"there is no {path}.", "Make the set first: greenroom dataset") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a dataset: {error}.", "Make the set again: greenroom dataset") from error
    if not conversations:
        raise UserError(f"{path} is empty.", "Import more, or hold out less: greenroom dataset --eval-share 0.05")
    return conversations


def _other_format(row: Any) -> str | None:
    """Which of the other formats of `greenroom dataset` a line is in (`train.dataset.formats`), or None."""
    marks = {"segments": "chatml", "messages": "messages"}
    return next((form for key, form in marks.items() if isinstance(row, dict) and key in row), None)


def write_own_turns(dataset: Path, speaker: str, folder: Path) -> None:
    """Write a set in which only the turns of `speaker` are trained to `folder`.

    Sessions without any are left out, and so is what was said after the last of them, which nothing learns from.
    """
    make_private_dir(folder)
    for name in ("train.jsonl", "eval.jsonl"):
        with (folder / name).open("w", encoding="utf-8") as out:
            for conversation in read_set(dataset / name):
                own = [{**turn, "train": turn["train"] and turn["from"] == speaker} for turn in conversation]
                while own and not own[-1]["train"]:
                    own.pop()
                if own:
                    out.write(json.dumps({"conversations": own}, ensure_ascii=False) + "\n")
        (folder / name).chmod(PRIVATE_FILE_MODE)


def train_stages(
    run: Run,
    recipe: Recipe,
    counter: TokenCounter,
    lock: int | None = None,
    cards: Sequence[str | None] = (None,),
) -> None:
    """Run the stages of `run` that are not done, each from its last checkpoint on.

    Args:
        run: what to train.
        recipe: with what.
        counter: counts tokens as the base does, for the speed that is noted.
        lock: the run's lock, for axolotl to hold too.
        cards: on which GPUs the speakers' own stages run, one each at a time (`train.schedule.cards_for_own`); the
            joint one takes all there are.

    Raises:
        UserError: axolotl is missing or stopped.
        Stopped: a person stopped it.
    """
    python = training_python()
    environ = dict(training_environ(python))
    if Path(run.plan.base).is_dir():
        environ["HF_HUB_OFFLINE"] = "1"

    def command(config: Path) -> list[str]:
        # accelerate's launcher has nothing to launch on a CPU but a second interpreter.
        launcher = ["--launcher", "python"] if ON_THE_CPU in recipe.get("plugins", []) else []
        return [str(python.with_name("axolotl")), "train", str(config), *launcher]

    if not run.plan.start_from and not run.joint.done:
        run_jobs([_job(run.joint, _joint(run, recipe), counter)], command, environ, lock=lock)
    if run.plan.per_persona:
        waiting = [run.own(speaker) for speaker in run.plan.speakers if not run.own(speaker).done]
        jobs = [_job(stage, _own(run, recipe, stage), counter) for stage in waiting]
        run_jobs(jobs, command, environ, cards, lock)


def results_of(run: Run) -> dict[str, Path]:
    """The folder with each speaker's weights once every stage is done: their own, or what all share."""
    shared = Path(run.plan.start_from) if run.plan.start_from else run.joint.out
    return {who: run.own(who).out if run.plan.per_persona else shared for who in run.plan.speakers}


def _joint(run: Run, recipe: Recipe) -> Recipe:
    dataset = Path(run.plan.dataset)
    ready = placed(
        recipe,
        base=Path(run.plan.base),
        train=dataset / "train.jsonl",
        evaluation=dataset / "eval.jsonl",
        run=run.folder,
    )
    return _stoppable(ready)


def _own(run: Run, recipe: Recipe, stage: Stage) -> Recipe:
    """Go on from the joint adapter with the turns of one speaker alone."""
    write_own_turns(Path(run.plan.dataset), stage.name, stage.folder)
    ready = placed(
        recipe,
        base=Path(run.plan.base),
        train=stage.folder / "train.jsonl",
        evaluation=stage.folder / "eval.jsonl",
        run=stage.folder,
        start_from=Path(run.plan.start_from) if run.plan.start_from else run.joint.out,
    )
    ready["num_epochs"] = OWN_EPOCHS
    ready["gradient_accumulation_steps"] = OWN_ACCUMULATION
    ready["learning_rate"] = OWN_RATE * number(recipe, "learning_rate", 2e-4)
    if not (stage.folder / "eval.jsonl").stat().st_size:
        # axolotl refuses an empty held-out set; a person who said nothing lately has one.
        for key in ("test_datasets", "evals_per_epoch", "eval_steps", "eval_sample_packing"):
            ready.pop(key, None)
    return _stoppable(ready)


def _stoppable(recipe: Recipe) -> Recipe:
    """The recipe with axolotl looking after each step whether a checkpoint is wanted, which Ctrl+C asks for."""
    return {**recipe, "dynamic_checkpoint": {"enabled": True, "check_interval": 1}}


def _job(stage: Stage, recipe: Recipe, counter: TokenCounter) -> Job:
    train = next(Path(dataset["path"]) for dataset in recipe["datasets"])
    before = curve_of(stage).epochs if last_checkpoint(stage.out) else 0.0

    def done(seconds: float) -> None:
        curve = curve_of(stage)
        epochs = curve.epochs or number(recipe, "num_epochs", 1)
        tokens = stats_of(read_set(train), [], counter).tokens
        speed = tokens * max(0.0, epochs - before) / seconds if seconds else 0.0
        stage.mark_done(
            Done(
                seconds=round(seconds, 1),
                tokens=round(tokens * epochs),
                tokens_per_second=round(speed, 1),
                steps=curve.steps,
                epochs=round(epochs, 3),
                resumed_at=round(before, 3),
            )
        )

    return Job(stage, recipe, done)


def held_out(
    base: Path, evaluation: Path, results: Mapping[str, Path], out: Path, *, four_bit: bool = False
) -> dict[str, dict[str, float]]:
    """Held-out loss in nats per token, by model (`base` and the names of `results`) and speaker.

    Args:
        base: folder of the base model's safetensors.
        evaluation: the held-out set, JSONL.
        results: by name the folder of an adapter, or of a model of its own. The same folder is scored once.
        out: where the raw sums go, as JSON.
        four_bit: load the base in four bits, where it was trained so and does not fit otherwise.

    Raises:
        UserError: the scorer stopped.
    """
    adapters = {str(folder): folder for folder in results.values() if result_of(folder) != "model"}
    models = {str(folder): folder for folder in results.values() if result_of(folder) == "model"}
    scores = scored(base, evaluation, list(adapters.values()), out, four_bit)
    for name, folder in models.items():
        scores[name] = scored(folder, evaluation, [], out, four_bit)["base"]
    by_name = {"base": scores["base"], **{name: scores[str(folder)] for name, folder in results.items()}}
    out.write_text(json.dumps(by_name, indent=2, ensure_ascii=False), "utf-8")
    out.chmod(PRIVATE_FILE_MODE)
    return {
        model: {speaker: score["nats"] / score["tokens"] for speaker, score in by_speaker.items() if score["tokens"]}
        for model, by_speaker in by_name.items()
    }


def scored(base: Path, evaluation: Path, adapters: Sequence[Path], out: Path, four_bit: bool) -> dict[str, Any]:
    """What the scorer wrote to `out`: for "base" and the path of each adapter, the sums of `train.score.Score`.

    Raises:
        UserError: the training environment is missing, or the scorer stopped.
    """
    python = training_python()
    command = [str(python), "-m", "train.score", "--base", str(base), "--data", str(evaluation), "--out", str(out)]
    for place, folder in enumerate(adapters):  # by number, since a path may hold the mark between name and path
        command += ["--adapter", f"{place}={folder}"]
    if four_bit:
        command.append("--four-bit")
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    if subprocess.run(command, env=environ).returncode:
        raise UserError(
            "the held-out loss could not be computed; the reason is above.",
            "Give the same command again; a run goes on with --resume.",
        )
    scores = json.loads(out.read_text("utf-8"))
    return {"base": scores["base"], **{str(folder): scores[str(place)] for place, folder in enumerate(adapters)}}
