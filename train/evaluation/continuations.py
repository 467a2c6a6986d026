"""How likely a model holds each of many ways to go on from one beginning.

    .venv-train/bin/python -m train.evaluation.continuations JOBS.json OUT.json

Runs in the training environment. JOBS.json: `{"base": FOLDER, "models": {NAME: ADAPTER or null}, "jobs": {NAME:
[{"prompt": TEXT, "continuations": [TEXT, …]}, …]}}`. OUT.json has for each name and job a list `[nats, greedy]` for
each continuation: its negative log-likelihood after the prompt, at temperature 1, and whether each of its tokens is the
likeliest one. The beginning that all have in common is computed once.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

BATCH = 128


def continuations(model: Any, tokenizer: Any, prompt: str, texts: list[str]) -> list[tuple[float, bool]]:
    """Return for each of `texts` its nats after `prompt`, and whether greedy decoding would write it."""
    import torch

    encoded = tokenizer([prompt + text for text in texts], add_special_tokens=False, return_offsets_mapping=True)
    rows: list[list[int]] = encoded["input_ids"]
    # The tokens that hold something of the continuation.
    firsts = [
        next(place for place, (_, end) in enumerate(offsets) if end > len(prompt))
        for offsets in encoded["offset_mapping"]
    ]
    shared = 0
    while shared < min(firsts) - 1 and len({row[shared] for row in rows}) == 1:
        shared += 1
    with torch.inference_mode():
        start = None
        if shared:
            start = model(input_ids=torch.tensor([rows[0][:shared]], device=model.device), use_cache=True)
        results: list[tuple[float, bool]] = []
        for first in range(0, len(rows), BATCH):
            part = [row[shared:] for row in rows[first : first + BATCH]]
            begins = [one - shared for one in firsts[first : first + BATCH]]
            longest = max(map(len, part))
            ids = torch.zeros((len(part), longest), dtype=torch.long, device=model.device)
            for place, row in enumerate(part):
                ids[place, : len(row)] = torch.tensor(row)
            cache = None
            if start is not None:
                cache = copy.deepcopy(start.past_key_values)
                cache.batch_repeat_interleave(len(part))
            # Padding stands on the right, where causal attention never sees it from.
            logits = model(input_ids=ids, past_key_values=cache, use_cache=cache is not None).logits[:, :-1].float()
            losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
            likeliest = logits.argmax(-1) == ids[:, 1:]
            for place, (row, begin) in enumerate(zip(part, begins, strict=True)):
                inside = slice(begin - 1, len(row) - 1)
                results.append((float(losses[place, inside].sum()), bool(likeliest[place, inside].all())))
    return results


def main() -> None:
    """Do the jobs of a file, model by model."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(asked["base"])
    options: dict[str, Any] = {"dtype": torch.float32}
    if torch.cuda.is_available():
        exact = torch.cuda.is_bf16_supported(including_emulation=False)
        options = {"dtype": torch.bfloat16 if exact else torch.float16, "device_map": {"": 0}}
    base = AutoModelForCausalLM.from_pretrained(asked["base"], **options).eval()
    results: dict[str, Any] = {}
    total = sum(map(len, asked["jobs"].values()))
    done = 0
    for name, adapter in asked["models"].items():
        model = base if adapter is None else PeftModel.from_pretrained(base, adapter).eval()
        results[name] = []
        for job in asked["jobs"][name]:
            results[name].append(continuations(model, tokenizer, job["prompt"], job["continuations"]))
            done += 1
            print(f"\rscored {done} of {total}", end="", file=sys.stderr, flush=True)
        if adapter is not None:
            base = model.unload()
    print(file=sys.stderr)
    Path(sys.argv[2]).write_text(json.dumps(results), "utf-8")


if __name__ == "__main__":
    main()
