"""CPU training with axolotl against a bare PEFT loop, step by step in one process.

    .venv/bin/python -m benchmarks.train_cpu [--steps 15] [--max-tokens 256] [--threads 2]

The sample cast's set, the recipe as it is (its precision is what the plugin finds best here). After each of axolotl's
steps the bare loop takes one over the very same sessions, with a second copy of the model: so both see the same
machine, however busy it is. A step of axolotl's counts from the end of the bare one before it: data, logging and all.
Prints one JSON object: tokens a second of both and their ratio, and the seconds before the first and after the last
step, which a bare loop has too (it loads the same model), though not as many.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from persona.bases import SMOLLM2, weights_path
from persona.paths import data_dir
from train.dataset import Options, write_dataset
from train.environment import ROOT, training_environ, training_python
from train.importing import import_paths
from train.messages import Reading
from train.recipe import find_recipe, placed, read_recipe, write_recipe
from train.store import open_store

PLUGIN = "benchmarks.train_cpu_plugin.Alternating"


def main() -> None:
    """Make the set, run the steps, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--max-tokens", type=int, default=256, help="sessions are cut to it, for short steps")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--recipe", default="smollm2-lora-cpu")
    arguments = parser.parse_args()
    base = weights_path(SMOLLM2.name, data_dir()).resolve()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with open_store(place / "data") as store:
            import_paths(store, [ROOT / "samples" / "exports"], reading=Reading(timezone="Etc/GMT-1"))
            write_dataset(store, place / "set", Options((), min_messages=500, max_tokens=arguments.max_tokens))
        recipe = placed(
            read_recipe(find_recipe(arguments.recipe)),
            base=base,
            train=place / "set" / "train.jsonl",
            evaluation=place / "set" / "eval.jsonl",
            run=place,
        )
        # The steps alone: no evaluation, and no checkpoint but the last.
        for key in ("test_datasets", "evals_per_epoch", "saves_per_epoch"):
            recipe.pop(key, None)
        recipe |= {"max_steps": arguments.steps, "plugins": [*recipe["plugins"], PLUGIN]}
        write_recipe(recipe, place / "config.yml")
        python = training_python()
        environ = {
            **training_environ(python, arguments.threads),
            "HF_HUB_OFFLINE": "1",
            "ALTERNATING_OUT": str(place / "figures.json"),
            "ALTERNATING_BEGAN": str(time.time()),
        }
        command = [
            str(part) for part in (python.with_name("axolotl"), "train", place / "config.yml", "--launcher", "python")
        ]
        done = subprocess.run(command, cwd=ROOT, env=environ, stdout=sys.stderr, check=False)
        ended = time.time()
        if done.returncode:
            raise SystemExit("axolotl stopped; its words are above")
        figures = json.loads((place / "figures.json").read_text("utf-8"))
    figures["seconds_after_the_last_step"] = round(ended - figures.pop("last_step_at"), 1)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
