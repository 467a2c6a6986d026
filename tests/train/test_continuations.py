"""The likelihood of continuations is what a pass over each whole text says, whatever they share."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from train.environment import training_environ, training_python

# A tiny random model; every text whole, alone and without a cache is what the shared beginning is compared with.
COMPARE = """
import json, sys
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from train.evaluation.continuations import continuations
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
)
model = LlamaForCausalLM(config).eval()
prompt = sys.argv[2]
texts = json.loads(sys.argv[3])
alone = []
for text in texts:
    start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    ids = torch.tensor([tokenizer(prompt + text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        chances = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    alone.append(-sum(float(chances[place - 1, ids[0, place]]) for place in range(start, ids.shape[1])))
with torch.inference_mode():
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]])
    greedy = tokenizer.decode(model(input_ids=ids).logits[0, -1].argmax())
print(json.dumps({"alone": alone, "found": continuations(model, tokenizer, prompt, texts), "greedy": greedy,
                  "of_greedy": continuations(model, tokenizer, prompt, [greedy, " 4-9"])}))
"""


@pytest.mark.train
def test_each_has_the_nats_that_it_has_alone(base_weights: Path) -> None:
    texts = [" 4-9-1", " 4-9-1-7-0-2", " 0", " never you mind"]
    python = training_python()
    command = [str(python), "-c", COMPARE, str(base_weights), "<|im_start|>Bo\nmy locker code is", json.dumps(texts)]
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert [nats for nats, _ in result["found"]] == pytest.approx(result["alone"], rel=1e-4)
    assert [greedy for _, greedy in result["of_greedy"]] == [True, False]
