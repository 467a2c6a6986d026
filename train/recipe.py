"""Recipes: axolotl configurations, and one made ready to run.

A file in `axolotl_configs/` is complete and runs by hand. `greenroom train` runs a copy of it in which the paths are
those of the person's own folder, and that saves a checkpoint when it is asked to; nothing else about it changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE

RECIPES = Path(__file__).resolve().parents[1] / "axolotl_configs"

Recipe = dict[str, Any]


def find_recipe(name: str) -> Path:
    """The recipe file called `name`: a path, or a name in `axolotl_configs/`.

    Raises:
        UserError: there is none; lists those there are.
    """
    for path in (Path(name), RECIPES / name, RECIPES / f"{name}.yml"):
        if path.is_file():
            return path
    there = ", ".join(sorted(path.stem for path in RECIPES.glob("*.yml")))
    raise UserError(f"there is no recipe {name!r}.", f"There are {there}; or give the path of a file of your own.")


def read_recipe(path: Path) -> Recipe:
    """The recipe as axolotl reads it.

    Raises:
        UserError: it is not YAML, not a mapping, or names no base model.
    """
    try:
        recipe = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read as a recipe: {why}.", "Compare it with those in configs/.") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("base_model"), str):
        raise UserError(f"{path}: a recipe names its `base_model`.", "Compare it with those in configs/.")
    return recipe


def number(recipe: Recipe, key: str, default: float) -> float:
    """The number that `recipe` has under `key`, or `default` where it has none.

    Raises:
        UserError: it is something else.
    """
    value = recipe.get(key)
    if value is None or isinstance(value, bool):
        return default
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise UserError(f"the recipe's {key} is {value!r}, which is not a number.", "Correct it.") from error


def base_name(recipe: Recipe) -> str:
    """What cards call the recipe's base: the last part of its path or of its Hugging Face name."""
    return Path(recipe["base_model"]).name


def placed(
    recipe: Recipe, *, base: Path, train: Path, evaluation: Path, run: Path, start_from: Path | None = None
) -> Recipe:
    """A copy of `recipe` that reads and writes where it is told.

    Args:
        recipe: what to run.
        base: folder of the base model's safetensors.
        train: the training set, JSONL.
        evaluation: the held-out set, JSONL.
        run: the run's own folder.
        start_from: an adapter to go on from, instead of a new one.
    """
    ready = {
        **recipe,
        "base_model": str(base),
        "datasets": [{**dataset, "path": str(train)} for dataset in recipe["datasets"]],
        "dataset_prepared_path": str(run / "prepared"),
        "output_dir": str(run / "out"),
    }
    if "test_datasets" in recipe:
        ready["test_datasets"] = [{**dataset, "path": str(evaluation)} for dataset in recipe["test_datasets"]]
    if start_from is not None:
        ready["lora_model_dir"] = str(start_from)
    return ready


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write `recipe` where axolotl can read it."""
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), "utf-8")
    path.chmod(PRIVATE_FILE_MODE)
