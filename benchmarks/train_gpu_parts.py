"""What benchmarks/train_gpu.sh needs beside axolotl: a model of random weights, a set, recipes, and the table.

    python -m benchmarks.train_gpu_parts prepare --out DIR --layers 32 --half 16
    python -m benchmarks.train_gpu_parts recipe --out DIR --name NAME --recipe NAME --layers N --steps N --changes YAML
    python -m benchmarks.train_gpu_parts table --out DIR

Runs in the training environment. The words are nobody's, but the lengths of sessions are like those of chats: most
short, a few long, which is what packing is for.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import yaml

SHAPE = {
    "vocab_size": 32002,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 32768,
}
"""Mistral 7B's, with ChatML's two marks."""

SESSIONS = 6000
WORDS = [first + second + third for first in "bdfgklmnprst" for second in "aeiou" for third in "bdfgklmnprst"]
PLUGIN = "benchmarks.train_gpu_plugin.Pace"


def prepare(out: Path, layers: int, half: int) -> None:
    """Random weights of two depths with one tokenizer, and a set."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

    dice = random.Random(0)
    lines = [session(dice) for _ in range(SESSIONS)]
    for name, part in (("train", lines[200:]), ("eval", lines[:200])):
        rows = "".join(json.dumps({"conversations": line}) + "\n" for line in part)
        (out / f"{name}.jsonl").write_text(rows, "utf-8")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=4000, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator((turn["value"] for line in lines for turn in line), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|im_end|>", pad_token="</s>", unk_token="<unk>"
    )
    for deep in {layers, half}:
        folder = out / f"model-{deep}"
        if (folder / "config.json").is_file():
            continue
        # On the GPU where there is one: seven billion random numbers take a CPU minutes.
        device = "cuda" if torch.cuda.is_available() else "cpu"
        with torch.device(device):
            torch.set_default_dtype(torch.bfloat16)
            model = MistralForCausalLM(MistralConfig(num_hidden_layers=deep, **SHAPE))
            torch.set_default_dtype(torch.float32)
        model.save_pretrained(folder)
        wrapped.save_pretrained(folder)


def session(dice: random.Random) -> list[dict[str, Any]]:
    """Two people talking: a median of some hundred tokens, one in twenty up to a thousand."""
    turns = min(60, max(2, int(dice.lognormvariate(1.7, 0.9))))
    return [
        {
            "from": ("Ann", "Bo")[place % 2],
            "value": " ".join(dice.choices(WORDS, k=min(60, max(1, int(dice.lognormvariate(1.8, 0.7)))))),
            "train": place % 2 == 1,
        }
        for place in range(turns)
    ]


def recipe(out: Path, name: str, recipe: str, layers: int, steps: int, changes: str) -> None:
    """The recipe called `recipe`, with its model, its set and `changes`, as OUT/NAME/config.yml."""
    settings: dict[str, Any] = yaml.safe_load(Path("axolotl_configs", f"{recipe}.yml").read_text("utf-8"))
    run = out / name
    run.mkdir(parents=True, exist_ok=True)
    # The marks are in the tokenizer; evaluation and checkpoints are not what is measured.
    for key in ("tokens", "special_tokens", "test_datasets", "evals_per_epoch", "saves_per_epoch"):
        settings.pop(key, None)
    settings["datasets"][0]["path"] = str((out / "train.jsonl").resolve())
    settings |= {
        "base_model": str((out / f"model-{layers}").resolve()),
        "dataset_prepared_path": str(run / "prepared"),
        "output_dir": str(run / "out"),
        "max_steps": steps,
        "save_strategy": "no",
        "plugins": [PLUGIN],
        **yaml.safe_load(changes),
    }
    (run / "config.yml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")


def table(out: Path) -> None:
    """Tokens that are no padding a second, peak memory, and each pair's ratio."""
    rows = {}
    for folder in sorted(path for path in out.iterdir() if (path / "config.yml").is_file()):
        pace = folder / "out" / "pace.json"
        if not pace.is_file():
            print(f"{folder.name:15} failed, see {folder / 'log'}")
            continue
        rows[folder.name] = found = json.loads(pace.read_text("utf-8"))
        memory = max(map(int, (folder / "memory_mib").read_text().split()), default=0)
        print(
            f"{folder.name:15} {found['tokens_per_s']:9.0f} tokens/s  {found['padding']:6.1%} padding  "
            f"{found['allocated_gib']:5.1f} GiB allocated, {memory / 1024:5.1f} GiB used"
        )
    for kind in ("lora", "fsdp"):
        if {f"{kind}-packed", f"{kind}-original"} <= rows.keys():
            ratio = rows[f"{kind}-packed"]["tokens_per_s"] / rows[f"{kind}-original"]["tokens_per_s"]
            print(f"{kind}: {ratio:.2f} times the original way")


def main() -> None:
    """One of the three parts."""
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    for part, options in (
        (prepare, {"layers": int, "half": int}),
        (recipe, {"name": str, "recipe": str, "layers": int, "steps": int, "changes": str}),
        (table, {}),
    ):
        command = parts.add_parser(part.__name__)
        command.add_argument("--out", type=Path, required=True)
        for option, kind in options.items():
            command.add_argument(f"--{option}", type=kind, required=True)
        command.set_defaults(run=part)
    arguments = vars(parser.parse_args())
    run, part = arguments.pop("run"), arguments.pop("part")
    run(**arguments)
    if part == "prepare":
        print(f"prepared in {time.time() - started:.0f} s")


if __name__ == "__main__":
    main()
