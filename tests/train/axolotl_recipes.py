"""Runs inside the training environment, for test_recipes.py: many recipes in one process, since it starts slowly.

    python -m tests.train.axolotl_recipes JOBS.json

Each job names a recipe made ready, a folder of a base that has only its tokenizer yet, and what its model is to look
like. It is given tiny random weights, validated as if a GPU were there, preprocessed, and trained for one step in a
form that a CPU can take. What came of it is written beside the recipe, as `config.yml.json`.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axolotl.cli.config
import axolotl.cli.preprocess
import axolotl.cli.train
import datasets
import yaml
from axolotl.loaders import load_tokenizer
from axolotl.utils.schemas.config import AxolotlInputConfig
from axolotl.utils.schemas.datasets import SFTDataset
from axolotl.utils.schemas.fsdp import FSDPConfig
from transformers import AutoConfig, AutoModelForCausalLM

# What an H100 says of itself; eight of them.
GPU = {"bf16": True, "fp8": True, "tf32": True, "n_gpu": 8, "compute_capability": "sm_90"}
TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}


def main() -> None:
    jobs = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    results: dict[str, dict[str, Any]] = {job["config"]: {} for job in jobs}
    for job in jobs:
        make_weights(job)
        with reported(results[job["config"]], "preprocessing"), as_if_on_a_gpu():
            results[job["config"]] |= preprocessed(job["config"])
    for job in jobs:
        with reported(results[job["config"]], "training"), environment_restored():
            axolotl.cli.train.do_cli(config=job["on_a_cpu"])
    for config, result in results.items():
        Path(f"{config}.json").write_text(json.dumps(result), "utf-8")


def make_weights(job: dict[str, Any]) -> None:
    """Random weights as wide as a thumb, of the architecture of the recipe's base."""
    base = job["base"]
    size = {**TINY, "vocab_size": job["vocabulary"], "num_hidden_layers": job["layers"]}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(job["architecture"], **size))
    model.save_pretrained(base)


def preprocessed(config: str) -> dict[str, Any]:
    """Keys that axolotl does not know, the rows it made, and the tokenizer it loaded."""
    recipe = yaml.safe_load(Path(config).read_text("utf-8"))
    axolotl.cli.preprocess.do_cli(config=config)
    cfg = axolotl.cli.config.load_cfg(config)
    tokenizer = load_tokenizer(cfg)
    folders = [folder for folder in glob.glob(cfg.dataset_prepared_path + "/*") if glob.glob(folder + "/*.arrow")]
    rows: list[list[dict[str, Any]]] = [list(datasets.load_from_disk(folder)) for folder in folders]
    return {
        "unknown": sorted(unknown_keys(recipe)),
        "rows": [
            {
                "text": tokenizer.decode(row["input_ids"]),
                "trained": tokenizer.decode([label for label in row["labels"] if label != -100]),
            }
            for row in max(rows, key=len)
        ],
        "tokens": len(tokenizer),
    }


def unknown_keys(recipe: dict[str, Any]) -> Iterator[str]:
    """Keys that axolotl would ignore without a word."""
    parts = [("", recipe, AxolotlInputConfig), ("fsdp_config.", recipe.get("fsdp_config", {}), FSDPConfig)]
    parts += [(f"{key}.", entry, SFTDataset) for key in ("datasets", "test_datasets") for entry in recipe[key]]
    for prefix, mapping, schema in parts:
        known = set(schema.model_fields)
        yield from (prefix + key for key in mapping if key not in known)


@contextlib.contextmanager
def as_if_on_a_gpu() -> Iterator[None]:
    """axolotl is told of a GPU that is not there; what it sets for one is undone afterwards."""
    asked = axolotl.cli.config.gpu_capabilities
    axolotl.cli.config.gpu_capabilities = lambda: (dict(GPU), asked()[1])
    try:
        with environment_restored():
            yield
    finally:
        axolotl.cli.config.gpu_capabilities = asked


@contextlib.contextmanager
def environment_restored() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def reported(result: dict[str, Any], what: str) -> Iterator[None]:
    """An error belongs to its recipe and does not keep the others from their turn."""
    try:
        yield
    except Exception:
        result[f"{what}_failed"] = traceback.format_exc()[-3000:]


if __name__ == "__main__":
    main()
