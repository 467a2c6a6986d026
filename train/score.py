"""Held-out loss: how well a model foresees what a speaker really wrote.

    .venv-train/bin/python -m train.score --base data/models/NAME --data data/dataset/eval.jsonl \
        --adapter milo=data/personas/milo/adapter --out scores.json

Runs in the training environment. Loss is the negative log-likelihood in nats per token, over the tokens that are
trained: the body and the closing mark of turns with `train: true`. Prints nothing but progress; the result is JSON:
for each model (`base` and each adapter's name) and speaker, the sum of nats and the counts of tokens, bytes and turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from persona.template import TURN_END, Turn, render


class Score(TypedDict):
    """What one model made of one speaker's held-out turns. `nats / tokens` is the loss.

    `bytes` are those of the bodies in UTF-8, so that models of different tokenizers can be compared.
    """

    nats: float
    tokens: int
    bytes: int
    turns: int


def trained_spans(conversation: list[dict[str, Any]]) -> Iterator[tuple[str, int, int]]:
    """For each trained turn its speaker, and where in the rendered prompt its body starts and its mark ends.

    Positions are in characters of `render(...)` over the same conversation.
    """
    position = 0
    for turn in conversation:
        rendered = render([Turn(role=turn["from"], content=turn["value"])])
        start = position + rendered.index("\n") + 1
        if turn["train"]:
            yield turn["from"], start, start + len(turn["value"]) + len(TURN_END)
        position += len(rendered)


def score(model: Any, tokenizer: Any, conversations: list[list[dict[str, Any]]]) -> dict[str, Score]:
    """Each speaker's score under `model`, over `conversations` as dataset lines have them."""
    import torch

    scores: dict[str, Score] = {}
    for done, conversation in enumerate(conversations):
        text = render([Turn(role=turn["from"], content=turn["value"]) for turn in conversation])
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, return_tensors="pt")
        offsets = encoded["offset_mapping"][0, 1:].tolist()
        with torch.inference_mode():
            ids = encoded["input_ids"].to(model.device)
            logits = model(input_ids=ids).logits[0, :-1].float()
        losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").tolist()
        for speaker, start, end in trained_spans(conversation):
            inside = [loss for loss, (a, b) in zip(losses, offsets, strict=True) if a >= start and b <= end]
            total = scores.setdefault(speaker, Score(nats=0.0, tokens=0, bytes=0, turns=0))
            total["nats"] += sum(inside)
            total["tokens"] += len(inside)
            total["bytes"] += len(text[start : end - len(TURN_END)].encode("utf-8", "surrogatepass"))
            total["turns"] += 1
        print(f"\rscored {done + 1} of {len(conversations)} sessions", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return scores


def main() -> None:
    """Score the base and each adapter, one after the other."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--four-bit", action="store_true", help="load the base in four bits; needs a GPU")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    with arguments.data.open(encoding="utf-8") as lines:
        conversations = [json.loads(line)["conversations"] for line in lines]
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)
    # In float32 on a processor, as exact as it gets; on a GPU in the precision of training, where larger bases fit.
    options: dict[str, Any] = {"dtype": torch.float32}
    if torch.cuda.is_available():
        exact = torch.cuda.is_bf16_supported(including_emulation=False)
        options = {"dtype": torch.bfloat16 if exact else torch.float16, "device_map": {"": 0}}
    if arguments.four_bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=options["dtype"]
        )
    base = AutoModelForCausalLM.from_pretrained(arguments.base, **options).eval()
    results = {"base": score(base, tokenizer, conversations)}
    for named in arguments.adapter:
        name, _, folder = named.partition("=")
        adapted = PeftModel.from_pretrained(base, folder).eval()
        results[name] = score(adapted, tokenizer, conversations)
        base = adapted.unload()
    arguments.out.write_text(json.dumps(results, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
