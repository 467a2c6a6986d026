"""Merge a LoRA adapter into its base: one model, as safetensors, for tools that know no adapters.

    .venv-train/bin/python -m train.merge data/models/NAME data/personas/milo/adapter OUT

Runs in the training environment. PEFT does the arithmetic; the weights keep the precision the base has on disk.
`greenroom personas export ID OUT --format merged` calls it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from persona.paths import make_private_dir
from persona.template import template_source

_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt")


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Write the model in folder `base` with the PEFT adapter in folder `adapter` merged into it to `out`.

    Whole or not at all. The tokenizer is the base's; the template is the one that the adapter was trained with.

    Raises:
        OSError: something cannot be read or written.
        ValueError: the adapter does not belong to the base.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    unfinished = out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_private_dir(unfinished)
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    merged.save_pretrained(unfinished)
    for pattern in _TOKENIZER_FILES:
        for file in base.glob(pattern):
            shutil.copyfile(file, unfinished / file.name)
    (unfinished / "chat_template.jinja").write_text(template_source(), "utf-8")
    unfinished.rename(out)


if __name__ == "__main__":
    merge(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
