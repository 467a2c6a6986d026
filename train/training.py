"""Run a recipe with axolotl, for everyone together and then, if asked, for each speaker alone.

A joint adapter learns from everybody's turns (the names in the prompt tell the voices apart), and a short pass over a
person's own turns afterwards helps once more. So `--per-persona` starts from the joint adapter.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from persona.errors import UserError
from persona.names import slug
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.environment import training_environ, training_python
from train.recipe import Recipe, placed, write_recipe

OWN_EPOCHS = 1
OWN_RATE = 0.7
OWN_ACCUMULATION = 1
"""The pass over a speaker's own turns: this many epochs, at this share of the recipe's learning rate, with a step
after this many batches (a fifth of the data makes few steps as it is)."""

ON_THE_CPU = "train.axolotl_cpu.CpuPlugin"


def run_dir(data: Path, recipe: Path) -> Path:
    """A new folder for a run of `recipe`: `data/runs/NAME-1`, `-2`, …"""
    runs = make_private_dir(data / "runs")
    number = 1
    while (runs / f"{recipe.stem}-{number}").exists():
        number += 1
    return make_private_dir(runs / f"{recipe.stem}-{number}")


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


def train_joint(recipe: Recipe, base: Path, dataset: Path, run: Path) -> Path:
    """Train one adapter for everyone in `dataset`; the adapter's folder.

    Raises:
        UserError: axolotl is missing or stopped.
    """
    ready = placed(recipe, base=base, train=dataset / "train.jsonl", evaluation=dataset / "eval.jsonl", run=run)
    return _axolotl(ready, run)


def train_own(recipe: Recipe, base: Path, dataset: Path, joint: Path, speaker: str, run: Path) -> Path:
    """Go on from the joint adapter with the turns of `speaker` alone; the adapter's folder.

    Raises:
        UserError: axolotl is missing or stopped.
    """
    folder = make_private_dir(run / slug(speaker))
    write_own_turns(dataset, speaker, folder)
    ready = placed(
        recipe,
        base=base,
        train=folder / "train.jsonl",
        evaluation=folder / "eval.jsonl",
        run=folder,
        start_from=joint,
    )
    ready["num_epochs"] = OWN_EPOCHS
    ready["gradient_accumulation_steps"] = OWN_ACCUMULATION
    ready["learning_rate"] = OWN_RATE * float(recipe["learning_rate"])
    return _axolotl(ready, folder)


def _axolotl(recipe: Recipe, run: Path) -> Path:
    python = training_python()
    config = run / "config.yml"
    write_recipe(recipe, config)
    command = [str(python.with_name("axolotl")), "train", str(config)]
    if ON_THE_CPU in recipe.get("plugins", []):
        # accelerate's launcher has nothing to launch on a CPU but a second interpreter.
        command += ["--launcher", "python"]
    environ: Mapping[str, str] = training_environ(python)
    if Path(recipe["base_model"]).is_dir():
        environ = {**environ, "HF_HUB_OFFLINE": "1"}
    code = subprocess.run(command, env=environ).returncode
    adapter = Path(recipe["output_dir"])
    if code or not (adapter / "adapter_config.json").is_file():
        raise UserError(
            f"axolotl stopped with code {code}; its last words are above.",
            f"Mend the recipe and run it again; what it was given is {config}.",
        )
    return adapter


def held_out(base: Path, evaluation: Path, adapters: Mapping[str, Path], out: Path) -> dict[str, dict[str, float]]:
    """Held-out loss in nats per token, by model (`base` and the names of `adapters`) and speaker.

    Args:
        base: folder of the base model's safetensors.
        evaluation: the held-out set, JSONL.
        adapters: each adapter's folder by name.
        out: where the raw sums go, as JSON.

    Raises:
        UserError: the scorer stopped.
    """
    python = training_python()
    command = [str(python), "-m", "train.score", "--base", str(base), "--data", str(evaluation), "--out", str(out)]
    for name, folder in adapters.items():
        command += ["--adapter", f"{name}={folder}"]
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    if subprocess.run(command, env=environ).returncode:
        raise UserError("the held-out loss could not be computed; the reason is above.")
    scores = json.loads(out.read_text("utf-8"))
    return {
        model: {speaker: score["nats"] / score["tokens"] for speaker, score in by_speaker.items()}
        for model, by_speaker in scores.items()
    }
