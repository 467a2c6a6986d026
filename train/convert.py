"""Turn a base model's GGUF into safetensors, which axolotl and vLLM read.

    .venv-train/bin/python -m train.convert data/models/NAME.gguf data/models/NAME

Runs in the training environment: it needs torch and transformers. The weights are dequantised, so an adapter is
trained on the very numbers that llama.cpp computes with. `greenroom model convert` calls it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from persona.paths import make_private_dir


def convert(gguf: Path, folder: Path) -> None:
    """Write the model and tokenizer of `gguf` to `folder` as bfloat16 safetensors; whole or not at all.

    Raises:
        OSError: the file cannot be read or the folder not written.
        ValueError: transformers does not know the architecture.
    """
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_private_dir(unfinished)
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    options: dict[str, object] = {"dtype": torch.bfloat16}
    if hasattr(transformers, "GgufConfig"):
        # Since 5.19 transformers keeps the quantised blocks unless told, and then refuses to save them.
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(**source, **options)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    # The conversion leaves the tokenizer's special tokens at another model's; the file's own ids are in the config.
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(model.config.eos_token_id)
    tokenizer.pad_token = tokenizer.eos_token
    model.save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
