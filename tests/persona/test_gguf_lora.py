"""A PEFT adapter in GGUF does what it does in PEFT, and what cannot be served is refused with a reason."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from persona.card import ADAPTER_WEIGHTS, Card, write_card
from persona.errors import UserError
from persona.gguf_lora import cached_gguf, convert, read_weights
from server.engines.llamacpp import LlamaCpp
from tests.endpoints import answered
from train.environment import training_environ, training_python

pytestmark = pytest.mark.slow

RANK, ALPHA = 4, 8
# SmolLM2 135M: hidden 576, nine heads of 64 and three for keys and values, feed-forward 1536.
SHAPES = {
    "self_attn.q_proj": (576, 576), "self_attn.k_proj": (576, 192), "self_attn.v_proj": (576, 192),
    "self_attn.o_proj": (576, 576), "mlp.gate_proj": (576, 1536), "mlp.up_proj": (576, 1536),
    "mlp.down_proj": (1536, 576),
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "bias": "none",
    "target_modules": sorted(name.split(".")[1] for name in SHAPES),
}  # fmt: skip

# Prints, for each prompt, the log-probabilities of the likeliest next tokens of the base and of the adapted model.
PEFT_LOGPROBS = """
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, adapter, prompts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(base)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter).eval()
out = []
for prompt in prompts:
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        adapted = model(ids).logits[0, -1].log_softmax(-1)
        with model.disable_adapter():
            plain = model(ids).logits[0, -1].log_softmax(-1)
    out.append({"adapted": adapted.tolist(), "plain": plain.tolist()})
print(json.dumps(out))
"""


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An adapter of every kind of matrix, strong enough to change what is said."""
    random = np.random.default_rng(1)
    weights = {}
    for layer in (0, 1, 15, 29):
        for module, (inside, outside) in SHAPES.items():
            key = f"base_model.model.model.layers.{layer}.{module}"
            weights[f"{key}.lora_A.weight"] = random.normal(0, 0.05, (RANK, inside)).astype(np.float32)
            weights[f"{key}.lora_B.weight"] = random.normal(0, 0.05, (outside, RANK)).astype(np.float32)
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_file(weights, folder / ADAPTER_WEIGHTS)
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG))
    return folder


def configure(adapter: Path, **changes: Any) -> None:
    (adapter / "adapter_config.json").write_text(json.dumps({**CONFIG, **changes}))


@pytest.mark.slow
def test_each_matrix_is_where_llamacpp_looks_for_it(adapter: Path, base_gguf: Path, tmp_path: Path) -> None:
    convert(adapter, base_gguf, tmp_path / "out.gguf")
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    assert reader.fields["general.type"].contents() == "adapter"
    assert reader.fields["adapter.type"].contents() == "lora"
    assert reader.fields["adapter.lora.alpha"].contents() == ALPHA
    names = {tensor.name: tensor for tensor in reader.tensors}
    assert len(names) == 4 * len(SHAPES) * 2
    down = read_weights(adapter)["base_model.model.model.layers.15.mlp.down_proj.lora_A.weight"]
    assert np.allclose(names["blk.15.ffn_down.weight.lora_a"].data, down, atol=1e-3)


def test_rows_of_q_are_put_in_rotary_order(adapter: Path, base_gguf: Path, tmp_path: Path) -> None:
    """llama.cpp pairs neighbouring rows where transformers pairs a row with the one half a head further."""
    convert(adapter, base_gguf, tmp_path / "out.gguf")
    names = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    ours = read_weights(adapter)["base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"]
    head = 64
    for row in range(576):
        start, place = row // head * head, row % head
        theirs = start + place // 2 + (place % 2) * (head // 2)
        assert np.allclose(names["blk.1.attn_q.weight.lora_b"][row], ours[theirs], atol=1e-3)


@pytest.mark.train
def test_llamacpp_computes_what_peft_computes(
    adapter: Path, base_weights: Path, models_only: Path, tmp_path: Path
) -> None:
    prompts = [["hey, what's up?"], ["12 minutes late", "new record"], ["ну ок let's go))"]]
    card = Card(speaker="Milo", base=base_weights.name, owner="Juno")
    persona = write_card(tmp_path / "cast" / "milo", card)
    adapter.rename(persona.folder / "adapter")
    engine = LlamaCpp([persona], models_only, context=512, slots=1)
    milo = engine.served["milo"]
    rendered = ["<|im_start|>Juno\n" + "\n".join(lines) + "<|im_end|>\n<|im_start|>Milo\n" for lines in prompts]
    python = training_python()
    done = subprocess.run(
        [python, "-c", PEFT_LOGPROBS, base_weights, persona.folder / "adapter", json.dumps(rendered)],
        env={**training_environ(python), "HF_HUB_OFFLINE": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    worst, moved = 0.0, 0.0
    for lines, expected in zip(prompts, json.loads(done.stdout), strict=True):
        answer = answered(
            milo,
            {
                "messages": [{"role": "Juno", "content": "\n".join(lines)}],
                "chat_template_kwargs": {"speaker": "Milo"},
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": True,
                "top_logprobs": 10,
            },
        )
        for token in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            worst = max(worst, abs(token["logprob"] - expected["adapted"][token["id"]]))
            moved = max(moved, abs(token["logprob"] - expected["plain"][token["id"]]))
    engine.close()
    assert moved > 1.0, "the adapter changes too little for the comparison to mean anything"
    # llama.cpp multiplies with eight-bit activations; the base alone differs from transformers by as much.
    assert worst < 0.3


def test_a_converted_adapter_is_kept_and_a_changed_one_is_new(adapter: Path, base_gguf: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = cached_gguf(adapter, base_gguf, cache)
    assert cached_gguf(adapter, base_gguf, cache) == first
    configure(adapter, lora_alpha=16)
    assert cached_gguf(adapter, base_gguf, cache) != first
    assert len(list(cache.iterdir())) == 2


def test_an_adapter_that_changes_while_it_is_converted_is_not_kept_under_the_old_ones_name(
    adapter: Path, base_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed_before(*arguments: Path) -> None:
        configure(adapter, lora_alpha=32)
        convert(*arguments)

    monkeypatch.setattr("persona.gguf_lora.convert", changed_before)
    with pytest.raises(UserError, match="changed while it was read"):
        cached_gguf(adapter, base_gguf, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"rank_pattern": {"q_proj": 8}}, "ranks that differ"),
        ({"r": "four"}, "adapter_config.json"),
    ],
)
def test_what_no_engine_serves_is_refused(
    adapter: Path, base_gguf: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    configure(adapter, **change)
    with pytest.raises(UserError, match=said):
        convert(adapter, base_gguf, tmp_path / "out.gguf")


def test_a_damaged_adapter_is_said_to_be_damaged(adapter: Path, base_gguf: Path, tmp_path: Path) -> None:
    weights = adapter / ADAPTER_WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged"):
        cached_gguf(adapter, base_gguf, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
