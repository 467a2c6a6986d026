"""A small set, a small base and a recipe for them, to pack and to train; and a machine with an axolotl that only copies."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save_file

from train.bundle.packing import FOLDER, RECORDS, Bundle, Needs
from train.bundle.sealing import Lock
from train.recipe import RECIPES, read_recipe

TALK = [
    [("Ann", "where are you?"), ("Bo", "aye aye captain"), ("Ann", "Nobody asks."), ("Bo", "aye")],
    [("Bo", "aye"), ("Ann", "Quite so."), ("Bo", "aye aye"), ("Ann", "Indeed.")],
    [("Ann", "Good day."), ("Ann", "Indeed.")],
]
HIDDEN, LAYERS = 32, 2
BASE = "tiny"
CONFIG = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
}
NEEDS = Needs(gpu=False, gpu_memory_gb=0, disk_gb=0.001)

# Does what axolotl leaves behind: an adapter of the base that the configuration names. It says what it was told, and
# stops in a stage whose name stands in the file `stop` beside it.
_AXOLOTL = """#!{python}
import json, pathlib, shutil, sys, yaml
config = yaml.safe_load(open(sys.argv[2]))
here = pathlib.Path(__file__).parent
out = pathlib.Path(config["output_dir"])
print("training", out.name, sys.argv[3:], sorted(path.name for path in out.glob("checkpoint-*")))
if (here / "stop").exists() and (here / "stop").read_text() == out.name:
    for step, state in (("1", "{{}}"), ("2", None)):
        (out / f"checkpoint-{{step}}").mkdir(parents=True)
        if state:
            (out / f"checkpoint-{{step}}" / "trainer_state.json").write_text(state)
    sys.exit(3)
if not config.get("adapter"):
    shutil.copytree(config["base_model"], out, dirs_exist_ok=True)
    (out / "training_args.bin").write_bytes(b"a pickle")
    sys.exit(0)
shutil.copytree(here / "adapter", out, dirs_exist_ok=True)
settings = json.loads((out / "adapter_config.json").read_text())
settings["base_model_name_or_path"] = config["base_model"]
(out / "adapter_config.json").write_text(json.dumps(settings))
"""


def write_set(folder: Path, talk: list[list[tuple[str, str]]] = TALK, repeated: int = 4) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {"conversations": [{"from": who, "value": what, "train": place > 0} for place, (who, what) in enumerate(one)]}
        for one in talk
    ]
    for name, times in (("train.jsonl", repeated), ("eval.jsonl", 1)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines * times))
    return folder


def write_base(models: Path, seed: int = 0, **changes: Any) -> Path:
    folder = models / BASE
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    weights = np.random.default_rng(seed).normal(0, 1, (4, HIDDEN)).astype(np.float32)
    save_file({"model.embed_tokens.weight": weights}, folder / "model.safetensors")
    return folder


def write_recipe_for(base: str, path: Path, **changes: Any) -> Path:
    recipe = read_recipe(RECIPES / "smollm2-lora-cpu.yml")
    recipe.pop("peft_layers_to_transform", None)
    path.write_text(yaml.safe_dump({**recipe, "base_model": base, **changes}))
    return path


def write_adapter(folder: Path, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    key = "base_model.model.model.layers.0.self_attn.o_proj"
    weights = {f"{key}.lora_{side}.weight": random.normal(0, 1, shape).astype(np.float32) for side, shape in _SIDES}
    folder.mkdir(parents=True)
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": ["o_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "base"}))
    return folder


_SIDES = (("A", (4, HIDDEN)), ("B", (HIDDEN, 4)))


def home(data: Path) -> Path:
    """A private folder with a set, a base, and a recipe for them beside it; the recipe."""
    write_set(data / "dataset")
    write_base(data / "models")
    return write_recipe_for(f"data/models/{BASE}", data.parent / "quick.yml")


def pack(data: Path, recipe: Path, out: Path, *, per_persona: bool = True, lock: Lock | None = None) -> str:
    bundle = Bundle(read_recipe(recipe), recipe, data / "dataset", base=data / "models" / BASE)
    return bundle.write(out, per_persona=per_persona, needs=NEEDS, lock=lock, records=data / RECORDS)


def unpack(bundle: Path, folder: Path) -> Path:
    """As `tar -xf` does; the folder with run.sh in it."""
    with tarfile.open(bundle) as archive:
        archive.extractall(folder, filter="data")
    return folder / FOLDER


def fake_axolotl(folder: Path) -> Path:
    """A folder for PATH with an `axolotl` that copies an adapter, and a python beside it."""
    write_adapter(folder / "adapter")
    for name, text in (
        ("axolotl", _AXOLOTL.format(python=sys.executable)),
        ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n'),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
