"""Builds small random models of every family, each with an adapter, and what PEFT computes with them. Runs with torch.

python tests/persona/families.py SMOLLM2 OUT PROMPTS       in the training environment; prints JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ADAPTED = "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj".split()
SIZES: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 512, "initializer_range": 0.2, "rms_norm_eps": 1e-6,
}  # fmt: skip
# One of each that differs in what a conversion has to mind: grouped queries, biases on q, k and v, norms on q and k,
# a head wider than its share, a table of embeddings that is the output head too.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 4},
    "llama-grouped": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "mistral": {"num_key_value_heads": 2, "head_dim": 32, "sliding_window": None},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 32},
}


def main() -> None:
    """Build them, and print by family the log-probabilities after each prompt: plain and adapted."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    from train.merge import merge

    base, out, prompts = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    classes = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
    said: dict[str, Any] = {}
    for name, more in FAMILIES.items():
        torch.manual_seed(len(name))
        kind = classes[name.split("-")[0]]
        options = {"tie_word_embeddings": False, "vocab_size": len(tokenizer), **SIZES, **more}
        config = getattr(transformers, f"{kind}Config")(**options)
        model = getattr(transformers, f"{kind}ForCausalLM")(config)
        for key, parameter in model.named_parameters():
            if parameter.ndim == 1:  # biases begin as zeros and norms as ones, which hides a mistake in them
                torch.nn.init.normal_(parameter, 1.0 if "norm" in key else 0.0, 0.3)
        folder = out / "models" / name
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        adapted = get_peft_model(
            model, LoraConfig(r=4, lora_alpha=8, target_modules=ADAPTED, use_rslora=name == "qwen2")
        )
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(parameter, 0.0, 0.1)
        adapted.save_pretrained(out / "adapters" / name)
        adapted.eval()
        said[name] = []
        for prompt in prompts:
            ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
            with torch.inference_mode():
                one = adapted(ids).logits[0, -1].log_softmax(-1)
                with adapted.disable_adapter():
                    plain = adapted(ids).logits[0, -1].log_softmax(-1)
            said[name].append({"adapted": one.tolist(), "plain": plain.tolist()})
        merge(folder, out / "adapters" / name, out / "merged" / name)
    (out / "logprobs.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
