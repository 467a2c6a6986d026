"""What llama.cpp computes from our GGUF files is what PEFT computes: models and adapters of every family."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from persona.card import Card, write_card
from persona.errors import UserError
from persona.gguf_model import find_like, write_model
from persona.safetensors_file import tensors_of
from server.engines.llamacpp import LlamaCpp
from tests.endpoints import ROOT, answered
from tests.persona.families import FAMILIES, SIZES
from tests.scripts.test_errors import greenroom
from train.environment import training_environ, training_python

LINES = ["hey, what's up?", "12 minutes late\nnew record", "ну ок let's go))"]
TOLERANCE = 0.05
"""llama.cpp keeps keys and values in half precision and adapters come in it; an order below what a swapped row does."""


def write_like(base_gguf: Path, name: str, out: Path) -> Path:
    """A GGUF file with no weights that says what a base of this family says, with SmolLM2's tokenizer."""
    more = FAMILIES[name]
    family = name.split("-")[0]
    architecture = "llama" if family == "mistral" else family
    writer = gguf.GGUFWriter(out, architecture)
    writer.add_type("model")
    writer.add_block_count(SIZES["num_hidden_layers"])
    writer.add_context_length(SIZES["max_position_embeddings"])
    writer.add_embedding_length(SIZES["hidden_size"])
    writer.add_feed_forward_length(SIZES["intermediate_size"])
    writer.add_head_count(SIZES["num_attention_heads"])
    writer.add_head_count_kv(more["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(SIZES["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    head = more.get("head_dim", SIZES["hidden_size"] // SIZES["num_attention_heads"])
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    for key, (value, kind, inner) in tokenizer_of(base_gguf).items():
        writer.add_key_value(key, value, kind, sub_type=inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


@cache
def tokenizer_of(path: Path) -> dict[str, Any]:
    fields = gguf.GGUFReader(path).fields
    return {
        key: (field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
        for key, field in fields.items()
        if key.startswith("tokenizer.ggml.")
    }


@pytest.fixture(scope="session")
def families(base_weights: Path, base_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, adapters, merged models, and PEFT's log-probabilities for each."""
    out = tmp_path_factory.mktemp("families")
    prompts = [f"<|im_start|>Juno\n{lines}<|im_end|>\n<|im_start|>Milo\n" for lines in LINES]
    python = training_python()
    environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
    script = ROOT / "tests" / "persona" / "families.py"
    command = [str(python), str(script), str(base_weights), str(out), json.dumps(prompts)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    for name in FAMILIES:
        write_like(base_gguf, name, out / f"{name}-like.gguf")
    return out


def compared(families: Path, name: str, base: Path, adapter: Path | None, tmp_path: Path) -> tuple[float, float]:
    """How far llama.cpp is from PEFT at the most, and how far it would be from the plain model."""
    data = tmp_path / "data"
    (data / "models").mkdir(parents=True)
    (data / "models" / "base.gguf").symlink_to(base)
    persona = write_card(tmp_path / "cast" / "milo", Card(speaker="Milo", base="base", owner="Juno"))
    if adapter:
        (persona.folder / "adapter").symlink_to(adapter)
    engine = LlamaCpp([persona], data, context=512, slots=1)
    milo = engine.served["milo"]
    expected = json.loads((families / "logprobs.json").read_text())[name]
    worst, moved = 0.0, 0.0
    for lines, peft in zip(LINES, expected, strict=True):
        answer: Any = answered(
            milo,
            {
                "messages": [{"role": "Juno", "content": lines}],
                "chat_template_kwargs": {"speaker": "Milo"},
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": True,
                "top_logprobs": 20,
            },
        )
        for token in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            worst = max(worst, abs(token["logprob"] - peft["adapted"][token["id"]]))
            moved = max(moved, abs(token["logprob"] - peft["plain"][token["id"]]))
    engine.close()
    return worst, moved


@pytest.mark.train
@pytest.mark.parametrize("name", FAMILIES)
def test_an_adapter_of_every_family_does_in_llamacpp_what_it_does_in_peft(
    families: Path, tmp_path: Path, name: str
) -> None:
    write_model(families / "models" / name, families / f"{name}-like.gguf", tmp_path / "base.gguf", "f32")
    worst, moved = compared(families, name, tmp_path / "base.gguf", families / "adapters" / name, tmp_path)
    assert moved > 1.0, "the adapter changes too little for the comparison to mean anything"
    assert worst < TOLERANCE


@pytest.mark.train
@pytest.mark.parametrize("name", ["mistral", "qwen2"])
def test_a_merged_model_does_the_same(families: Path, tmp_path: Path, name: str) -> None:
    write_model(families / "merged" / name, families / f"{name}-like.gguf", tmp_path / "merged.gguf", "f32")
    worst, moved = compared(families, name, tmp_path / "merged.gguf", None, tmp_path)
    assert moved > 1.0
    assert worst < TOLERANCE


@pytest.mark.train
def test_a_model_in_half_precision_is_half_the_size(families: Path, tmp_path: Path) -> None:
    for precision in ("f32", "f16", "q8_0"):
        like = families / "llama-like.gguf"
        write_model(families / "models" / "llama", like, tmp_path / f"{precision}.gguf", precision)
    sizes = {path.stem: path.stat().st_size for path in tmp_path.glob("*.gguf")}
    empty = like.stat().st_size
    assert (sizes["f16"] - empty) / (sizes["f32"] - empty) == pytest.approx(1 / 2, rel=0.01)
    assert (sizes["q8_0"] - empty) / (sizes["f32"] - empty) == pytest.approx(34 / 128, rel=0.01)


@pytest.mark.train
def test_tokens_that_a_fine_tune_added_are_in_its_file(families: Path, tmp_path: Path) -> None:
    like = families / "qwen2-like.gguf"
    known = len(gguf.GGUFReader(like).fields["tokenizer.ggml.tokens"].contents())
    folder = tmp_path / "grown"
    folder.mkdir()
    for path in (families / "models" / "qwen2").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    grow(folder, 2)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({"id": known, "content": "<|mine|>", "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": known}))
    write_model(folder, like, tmp_path / "out.gguf")
    fields = gguf.GGUFReader(tmp_path / "out.gguf").fields
    assert fields["tokenizer.ggml.tokens"].contents()[known:] == ["<|mine|>", f"[PAD{known + 1}]"]
    assert fields["tokenizer.ggml.token_type"].contents()[known:] == [3, 5]
    assert fields["tokenizer.ggml.eos_token_id"].contents() == known


def grow(folder: Path, rows: int) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weights[name] = np.concatenate([weights[name], weights[name][:rows]])
    save_file(weights, folder / "model.safetensors")


@pytest.mark.train
def test_the_base_of_a_fine_tune_is_found_by_its_sizes(families: Path, base_gguf: Path, tmp_path: Path) -> None:
    for path in (base_gguf, families / "qwen2-like.gguf", families / "llama-grouped-like.gguf"):
        (tmp_path / path.name).symlink_to(path)
    assert find_like(families / "models" / "llama-grouped", tmp_path).stem == "llama-grouped-like"
    with pytest.raises(UserError, match="no GGUF file"):
        find_like(families / "models" / "qwen3", tmp_path)
    with pytest.raises(UserError, match="is a qwen2 model, not a llama one"):
        write_model(families / "models" / "llama", families / "qwen2-like.gguf", tmp_path / "out.gguf")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.train
def test_a_merged_persona_is_exported_as_a_folder_and_as_gguf(families: Path, tmp_path: Path) -> None:
    name, data = "llama-grouped", tmp_path / "data"
    (data / "models").mkdir(parents=True)
    (data / "models" / name).symlink_to(families / "models" / name)
    (data / "models" / f"{name}.gguf").symlink_to(families / f"{name}-like.gguf")
    persona = write_card(data / "personas" / "milo", Card(speaker="Milo", base=name))
    (persona.folder / "adapter").symlink_to(families / "adapters" / name)
    merged = ("personas", "export", "milo", "--format", "merged", "--data", data)
    for out in (tmp_path / "folder", tmp_path / "file.gguf"):
        done = greenroom(*merged, out)
        assert done.returncode == 0, done.stderr
    expected = {tensor.name: tensor.read() for tensor in tensors_of(families / "merged" / name / "model.safetensors")}
    for tensor in tensors_of(tmp_path / "folder" / "model.safetensors"):
        assert np.array_equal(tensor.read(), expected[tensor.name])
    assert (tmp_path / "folder" / "tokenizer.json").is_file()
    worst, _ = compared(families, name, tmp_path / "file.gguf", None, tmp_path / "served")
    assert worst < TOLERANCE


def test_what_is_no_model_is_said_to_be_none(tmp_path: Path, base_gguf: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        write_model(tmp_path, base_gguf, tmp_path / "out.gguf")
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(UserError, match="cannot be converted yet"):
        write_model(tmp_path, base_gguf, tmp_path / "out.gguf")
    (tmp_path / "model.safetensors").write_bytes(b"\x05")
    with pytest.raises(UserError, match="not a safetensors file"):
        list(tensors_of(tmp_path / "model.safetensors"))
