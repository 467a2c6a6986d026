"""A whole model as GGUF: safetensors of a model whose base is there as GGUF already, fine-tuned or merged.

Everything that is not a weight (tokenizer, rotary scaling, sizes) is taken from the base's own file, so nothing has to
be guessed from names: a fine-tune has the base's tokenizer, and at most a few tokens more. No torch.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from persona.errors import UserError
from persona.gguf_lora import FAMILIES, PERMUTED, permute
from persona.safetensors_file import Tensor, tensors_of

Precision = Literal["f16", "f32", "q8_0"]
_FILE_TYPES = {"f32": 0, "f16": 1, "q8_0": 7}
# What a config.json and a GGUF file both say; where they differ, the one is not the other's base.
_SIZES = {
    "num_hidden_layers": "block_count",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
}
_TOKENS, _TYPES, _SCORES = (f"tokenizer.ggml.{name}" for name in ("tokens", "token_type", "scores"))
_UNUSED_TOKEN, _CONTROL, _USER_DEFINED = 5, 3, 4
_ADDED_SCORE = -1000.0
_OURS = {"general.architecture", "general.file_type", "general.name", "general.quantization_version"}


def find_like(folder: Path, models: Path) -> Path:
    """The GGUF file in `models` that the model in `folder` was made from, by its family and sizes.

    Raises:
        UserError: there is none.
    """
    for path in sorted(models.glob("*.gguf")):
        try:
            _check_same(_config(folder), _metadata(path), path)
        except UserError:
            continue
        return path
    raise UserError(f"no GGUF file in {models} has the family and sizes of {folder}.", "Put that of its base there.")


def write_model(folder: Path, like: Path, out: Path, precision: Precision = "f16") -> None:
    """Write the model in `folder` (config.json, safetensors) to the GGUF file `out`; whole or not at all.

    Args:
        folder: the model, as transformers saves it.
        like: the GGUF file of its base, or of any model with the same tokenizer and sizes.
        out: the file to write.
        precision: of the matrices; vectors (norms, biases) are float32 always.

    Raises:
        UserError: the two do not belong together, or something cannot be read or written.
    """
    config, metadata = _config(folder), _metadata(like)
    architecture = _check_same(config, metadata, like)
    tensors = [tensor for path in sorted(folder.glob("*.safetensors")) for tensor in tensors_of(path)]
    if not tensors:
        raise UserError(f"there are no safetensors in {folder}.", "Name the folder of a model.")
    try:
        handle, draft = tempfile.mkstemp(dir=out.parent, suffix=".part")
        os.close(handle)
        try:
            _write(Path(draft), folder, config, metadata, architecture, tensors, like, precision)
            os.replace(draft, out)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}.", "Is there space on the disk?") from error


def _write(
    draft: Path,
    folder: Path,
    config: dict[str, Any],
    metadata: dict[str, Any],
    architecture: str,
    tensors: list[Tensor],
    like: Path,
    precision: Precision,
) -> None:
    import gguf

    writer = gguf.GGUFWriter(draft, architecture)
    writer.add_type("model")
    writer.add_name(folder.name)
    writer.add_file_type(_FILE_TYPES[precision])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    placed = list(_placed(tensors, config, architecture))
    rows = next((tensor.shape[0] for name, tensor in placed if name == "token_embd.weight"), 0)
    for key, (value, kind, inner) in _with_tokens(metadata, folder, config, rows, architecture).items():
        writer.add_key_value(key, value, kind, sub_type=inner)
    extra = [tensor for tensor in gguf.GGUFReader(like).tensors if tensor.name == "rope_freqs.weight"]
    for name, tensor in placed:
        kind = _kind(tensor.shape, precision)
        size = gguf.quant_shape_to_byte_shape(tensor.shape, kind)
        writer.add_tensor_info(name, tensor.shape, np.dtype(np.float32), int(np.prod(size)), raw_dtype=kind)
    for tensor in extra:
        writer.add_tensor_info(tensor.name, tensor.data.shape, tensor.data.dtype, tensor.data.nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    heads = {"attn_q": config["num_attention_heads"], "attn_k": _kv_heads(config)}
    for name, tensor in placed:
        values = tensor.read()
        part = name.split(".")[2] if name.startswith("blk.") else ""
        if architecture in PERMUTED and part in heads:
            values = permute(values.reshape(values.shape[0], -1), heads[part]).reshape(values.shape)
        writer.write_tensor_data(gguf.quants.quantize(values, _kind(tensor.shape, precision)))
    for tensor in extra:
        writer.write_tensor_data(tensor.data)
    writer.close()


def _placed(tensors: list[Tensor], config: dict[str, Any], architecture: str) -> Iterator[tuple[str, Tensor]]:
    """Each tensor with its name in GGUF."""
    import gguf

    kind = next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    for tensor in tensors:
        if tensor.name.endswith("rotary_emb.inv_freq"):
            continue  # older models carry it; it is computed
        if tensor.name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        name = names.get_name(tensor.name, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise UserError(f"{tensor.path}: {tensor.name} is not a tensor of a {architecture} model.")
        yield name, tensor


def _kind(shape: tuple[int, ...], precision: Precision) -> Any:
    import gguf

    kinds = {
        "f16": gguf.GGMLQuantizationType.F16,
        "f32": gguf.GGMLQuantizationType.F32,
        "q8_0": gguf.GGMLQuantizationType.Q8_0,
    }
    # Blocks of Q8_0 have 32 values; a row that is none of them is left in half precision, as llama.cpp does.
    if precision == "q8_0" and shape[-1] % 32:
        precision = "f16"
    return kinds[precision] if len(shape) > 1 else kinds["f32"]


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.", "Name the folder of a model.") from error
    if not isinstance(config, dict) or config.get("model_type") not in FAMILIES:
        raise UserError(
            f"{path}: models of this kind cannot be converted yet.",
            f"Known families: {', '.join(sorted(FAMILIES))}. vLLM (`--engine vllm`) serves others.",
        )
    return config


def _metadata(path: Path) -> dict[str, Any]:
    """What a GGUF file says of itself: by key the value, its type, and that of an array's items."""
    import gguf

    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{path} is not a GGUF model file ({error}).") from error
    return {
        key: (field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
        for key, field in reader.fields.items()
        if not key.startswith("GGUF.")
    }


def _check_same(config: dict[str, Any], metadata: dict[str, Any], path: Path) -> str:
    """The family that both are of, once they agree in every size."""
    architecture = FAMILIES[config["model_type"]]
    theirs = metadata["general.architecture"][0]
    if theirs != architecture:
        raise UserError(f"{path} is a {theirs} model, not a {architecture} one.", "Name the GGUF file of its base.")
    for key, name in _SIZES.items():
        there = metadata.get(f"{architecture}.{name}", (None,))[0]
        here = _kv_heads(config) if key == "num_key_value_heads" else config.get(key)
        if there != here:
            raise UserError(f"{path} has the {name} {there}, and the model {here}.", "Name the GGUF file of its base.")
    return architecture


def _kv_heads(config: dict[str, Any]) -> int:
    return int(config.get("num_key_value_heads") or config["num_attention_heads"])


def _with_tokens(
    metadata: dict[str, Any], folder: Path, config: dict[str, Any], rows: int, architecture: str
) -> dict[str, Any]:
    """The metadata to write: the base's, with the tokens that the fine-tune added."""
    found = {key: value for key, value in metadata.items() if key not in _OURS and key != "general.type"}
    known = len(found[_TOKENS][0]) if _TOKENS in found else rows
    if rows == known:
        return found
    if rows < known:
        raise UserError(f"{folder} has {rows:,} tokens, and its base {known:,}.", "Name the GGUF file of its base.")
    added = _added_tokens(folder)
    for number in range(known, rows):
        text, special = added.get(number, (f"[PAD{number}]", None))
        kind = _UNUSED_TOKEN if special is None else _CONTROL if special else _USER_DEFINED
        for key, value in ((_TOKENS, text), (_TYPES, kind), (_SCORES, _ADDED_SCORE)):
            if key in found:
                found[key][0].append(value)
    if f"{architecture}.vocab_size" in found:
        found[f"{architecture}.vocab_size"] = (rows, *found[f"{architecture}.vocab_size"][1:])
    # Tokens are added to end turns with.
    if isinstance(config.get("eos_token_id"), int) and "tokenizer.ggml.eos_token_id" in found:
        found["tokenizer.ggml.eos_token_id"] = (
            config["eos_token_id"],
            *found["tokenizer.ggml.eos_token_id"][1:],
        )
    return found


def _added_tokens(folder: Path) -> dict[int, tuple[str, bool]]:
    """By id the text of each added token, and whether it is a special one."""
    path = folder / "tokenizer.json"
    try:
        tokens = json.loads(path.read_bytes())["added_tokens"]
        return {int(token["id"]): (str(token["content"]), bool(token["special"])) for token in tokens}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not say which tokens were added: {error}.", "Save the tokenizer too.") from error
