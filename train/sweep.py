"""A search over a recipe's settings: axolotl runs every combination, and the held-out loss says which did best.

The combinations, their order and their folders are axolotl's own (`axolotl train --sweep`), so that the same files run
without Greenroom. Each run is a process of its own: one that fails, for want of memory say, leaves the others alone.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.environment import training_environ, training_python
from train.recipe import RECIPES, Recipe, placed, write_recipe
from train.training import held_out

SWEEPS = RECIPES / "sweeps"
TOGETHER = "_"
"""The key under which axolotl has choices of several settings at once."""

Losses = Mapping[str, Mapping[str, float]]

# axolotl's own list of combinations, from its file alone: importing axolotl takes longer than all the rest.
_COMBINATIONS = """
import contextlib, importlib.util, json, pathlib, sys, yaml
package = pathlib.Path(importlib.util.find_spec("axolotl").origin).parent
spec = importlib.util.spec_from_file_location("sweeps", package / "cli" / "utils" / "sweeps.py")
sweeps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sweeps)
sweep = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))
with contextlib.redirect_stdout(sys.stderr):
    combinations = sweeps.generate_sweep_configs({}, sweep)
print(json.dumps(combinations))
"""


class Trial(msgspec.Struct):
    """One run of a sweep.

    Attributes:
        name: what axolotl calls it: `sweep0001` and so on.
        settings: what the sweep sets in it.
        adapter: the folder of what it made.
        losses: held-out loss in nats per token by speaker; empty for a run that failed.
    """

    name: str
    settings: dict[str, Any]
    adapter: str
    losses: dict[str, float] = {}

    @property
    def mean(self) -> float:
        """The mean of the speakers' losses, each counting alike; infinite for a run that failed."""
        return sum(self.losses.values()) / len(self.losses) if self.losses else float("inf")


def find_sweep(name: str) -> Path:
    """The sweep called `name`: a path, or a name in `axolotl_configs/sweeps`.

    Raises:
        UserError: there is none; lists those there are.
    """
    for path in (Path(name), SWEEPS / f"{name}.yml"):
        if path.is_file():
            return path
    there = ", ".join(sorted(path.stem for path in SWEEPS.glob("*.yml")))
    raise UserError(f"there is no sweep {name!r}.", f"There is {there}; or give the path of a file of your own.")


def read_sweep(path: Path) -> dict[str, list[Any]]:
    """The values that a sweep tries, by key.

    Raises:
        UserError: it is not a mapping of lists.
    """
    try:
        sweep = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read as a sweep: {why}.", "Compare it with configs/sweeps/lora.yml."
        ) from error
    if not isinstance(sweep, dict) or not sweep:
        raise UserError(f"{path}: a sweep is a mapping.", "Compare it with configs/sweeps/lora.yml.")
    for key, values in sweep.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{path}: {key} is not a list of values to try.", f"Write {key}: [{values}].")
        if key == TOGETHER and not all(isinstance(choice, dict) for choice in values):
            raise UserError(f"{path}: each entry under {TOGETHER} is a mapping of settings that go together.")
    return sweep


def trials_of(sweep: Path, out: Path) -> list[Trial]:
    """The runs of `sweep` in the order in which axolotl takes them, whose folders will be in `out`.

    Raises:
        UserError: axolotl is missing, or cannot combine them.
    """
    done = subprocess.run(
        [training_python(), "-c", _COMBINATIONS, sweep], capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        last = done.stderr.strip().rsplit("\n", 1)[-1]
        raise UserError(f"axolotl cannot make runs of {sweep}: {last}.", "Compare it with configs/sweeps/lora.yml.")
    combinations = json.loads(done.stdout)
    names = [f"sweep{number:04d}" for number in range(1, len(combinations) + 1)]
    return [Trial(name, settings, str(out / name)) for name, settings in zip(names, combinations, strict=True)]


def sweep_dir(data: Path, recipe: Path) -> Path:
    """A new folder for a sweep over `recipe`: `data/runs/NAME-sweep-1`, `-2`, …"""
    runs = make_private_dir(data / "runs")
    number = 1
    while (runs / f"{recipe.stem}-sweep-{number}").exists():
        number += 1
    return make_private_dir(runs / f"{recipe.stem}-sweep-{number}")


def run_sweep(
    recipe: Recipe, sweep: Path, base: Path, dataset: Path, run: Path
) -> tuple[list[Trial], dict[str, float]]:
    """Train every combination of `sweep` and score what came of each; best first, and the base's own losses.

    What was found is also written to `sweep.json` in `run`. Runs that failed come last, without losses.

    Args:
        recipe: what is varied; one that makes adapters.
        sweep: the file that says how.
        base: folder of the base model's safetensors.
        dataset: folder with train.jsonl and eval.jsonl.
        run: the sweep's own folder.

    Raises:
        UserError: the recipe makes no adapter, axolotl is missing, or no run came to its end.
    """
    if not recipe.get("adapter"):
        raise UserError("a sweep is for recipes that make adapters; this one trains every weight.")
    evaluation = dataset / "eval.jsonl"
    ready = placed(recipe, base=base, train=dataset / "train.jsonl", evaluation=evaluation, run=run)
    config = run / "config.yml"
    write_recipe(ready, config)
    trials = trials_of(sweep, Path(ready["output_dir"]))
    python = training_python()
    command = [str(python.with_name("axolotl")), "train", str(config), "--sweep", str(sweep)]
    code = subprocess.run(command, env={**training_environ(python), "HF_HUB_OFFLINE": "1"}).returncode
    made = {
        trial.name: Path(trial.adapter) for trial in trials if (Path(trial.adapter) / "adapter_config.json").is_file()
    }
    if not made:
        raise UserError(
            f"none of the {len(trials)} runs came to its end (axolotl's code {code}); its words are above.",
            f"Try one by hand: axolotl train {config}",
        )
    four_bit = bool(recipe.get("load_in_4bit"))
    losses = held_out(base, evaluation, made, run / "scores.json", four_bit=four_bit)
    trials = [msgspec.structs.replace(trial, losses=dict(losses.get(trial.name, {}))) for trial in trials]
    trials.sort(key=lambda trial: trial.mean)
    found = {"base": dict(losses["base"]), "trials": trials}
    (run / "sweep.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    (run / "sweep.json").chmod(PRIVATE_FILE_MODE)
    return trials, dict(losses["base"])
