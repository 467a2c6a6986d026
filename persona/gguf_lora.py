"""A PEFT LoRA adapter as the GGUF file that llama.cpp reads.

No torch: safetensors come in through numpy and go out through the `gguf` writer. The layout is that of llama.cpp's
own `convert_lora_to_gguf.py`: for each adapted matrix `blk.N.attn_q.weight` two tensors, `….lora_a` of shape
(rank, in) and `….lora_b` of shape (out, rank), and the scale as `adapter.lora.alpha` (llama.cpp divides by rank).
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from persona.card import ADAPTER_WEIGHTS
from persona.errors import UserError
from persona.paths import make_private_dir
from persona.safetensors_file import Matrix, widen

CONVERTER_VERSION = 1
"""Part of the cached file's name: a new converter makes new files."""

# Families whose rotary embedding llama.cpp stores in another order than transformers: there the rows of q and k
# are permuted, and so the rows of their B matrices must be.
PERMUTED = {"llama"}
# What a model is by its config.json (`model_type`), and which family of GGUF that is: Mistral is a llama there.
FAMILIES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


class PeftConfig(msgspec.Struct):
    """The part of PEFT's `adapter_config.json` that decides what the numbers mean."""

    r: int
    lora_alpha: float
    peft_type: str = "LORA"
    use_rslora: bool = False
    use_dora: bool = False
    bias: str = "none"
    modules_to_save: list[str] | None = None
    rank_pattern: dict[str, int] = {}
    alpha_pattern: dict[str, float] = {}


def read_config(adapter: Path) -> PeftConfig:
    """The adapter's configuration.

    Raises:
        UserError: it is missing, unreadable, or of a kind that neither engine can serve.
    """
    path = adapter / "adapter_config.json"
    try:
        config = msgspec.json.decode(path.read_bytes(), type=PeftConfig)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.", "Add the persona again.") from error
    except msgspec.MsgspecError as error:
        raise UserError(f"{path}: {error}.", "Add the persona again.") from error
    for trouble, present in (
        (f"a {config.peft_type} adapter, not LoRA", config.peft_type != "LORA"),
        ("DoRA", config.use_dora),
        ("biases", config.bias != "none"),
        ("whole modules (modules_to_save)", bool(config.modules_to_save)),
        ("ranks that differ by layer", bool(config.rank_pattern or config.alpha_pattern)),
    ):
        if present:
            raise UserError(f"{path}: the engines cannot serve {trouble}.", "Train it again without.")
    return config


def fingerprint(adapter: Path) -> str:
    """SHA-256 (hex) over the adapter's weights and configuration: the same bytes give the same name."""
    digest = hashlib.sha256()
    for name in (ADAPTER_WEIGHTS, "adapter_config.json"):
        with (adapter / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def cached_gguf(adapter: Path, base_gguf: Path, cache: Path) -> Path:
    """The adapter as GGUF under `cache`, converted if this very adapter has not been before.

    Raises:
        UserError: the adapter cannot be read, or does not belong to the base.
    """
    path = cache / f"{_hash(adapter)}-{CONVERTER_VERSION}.gguf"
    if not path.is_file():
        make_private_dir(cache)
        # Written beside and renamed: two servers that start together never see half a file.
        handle, unfinished = tempfile.mkstemp(dir=cache, suffix=".part")
        os.close(handle)
        try:
            convert(adapter, base_gguf, Path(unfinished))
            # Another process may have replaced the adapter since it was hashed: what was converted must be what the
            # name says, or that name would give the wrong adapter from then on.
            if _hash(adapter) != path.name.partition("-")[0]:
                raise UserError(f"{adapter} changed while it was read.", "It is read again when it is whole.")
            os.replace(unfinished, path)
        finally:
            Path(unfinished).unlink(missing_ok=True)
    return path


def _hash(adapter: Path) -> str:
    try:
        return fingerprint(adapter)[:32]
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}.", "Add the persona again.") from error


def convert(adapter: Path, base_gguf: Path, out: Path) -> None:
    """Write the PEFT adapter in folder `adapter`, trained on the model in `base_gguf`, to `out` in float16.

    Raises:
        UserError: the adapter cannot be read, is of another kind, or does not belong to the base.
    """
    import gguf

    config = read_config(adapter)
    base = _read_base(base_gguf)
    architecture, shapes, heads = base.architecture, base.shapes, base.heads
    names = gguf.get_tensor_name_map(
        next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture), base.blocks
    )
    writer = gguf.GGUFWriter(out, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    scale = config.lora_alpha * (math.sqrt(config.r) if config.use_rslora else 1.0)
    writer.add_float32("adapter.lora.alpha", scale)
    for key, matrix in read_weights(adapter).items():
        match = _KEY.fullmatch(key)
        name = names.get_name(match["module"]) if match else None
        if match is None or name is None:
            raise UserError(f"{adapter}: {key} is not a matrix of a {architecture} model.", "Train it again.")
        _check_shape(adapter, key, matrix, shapes.get(f"{name}.weight"), match["side"])
        kind = match["module"].rsplit(".", 1)[-1]
        if match["side"] == "B" and architecture in PERMUTED and kind in heads:
            matrix = permute(matrix, heads[kind])
        writer.add_tensor(f"{name}.weight.lora_{match['side'].lower()}", matrix.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class _Base(msgspec.Struct, frozen=True):
    """What conversion needs of the base model: its family, layers, heads by projection, and matrices' shapes."""

    architecture: str
    blocks: int
    heads: dict[str, int]
    shapes: dict[str, tuple[int, ...]]


@cache
def _read_base(path: Path) -> _Base:
    # Read once for a whole cast: the reader also unpacks the vocabulary, which takes it most of a second.
    import gguf

    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{path} is not a GGUF model file ({error}).", "`greenroom model fetch` brings one.") from error
    architecture: str = reader.fields["general.architecture"].contents()
    if architecture not in FAMILIES.values():
        raise UserError(
            f"{path}: adapters for {architecture} models cannot be converted yet.",
            f"Known families: {', '.join(sorted(FAMILIES))}. vLLM (`--engine vllm`) serves others.",
        )

    def number(key: str) -> int:
        return int(reader.fields[f"{architecture}.{key}"].contents())

    heads = {"q_proj": number("attention.head_count"), "k_proj": number("attention.head_count_kv")}
    shapes = {tensor.name: tuple(int(n) for n in tensor.shape) for tensor in reader.tensors}
    return _Base(architecture, number("block_count"), heads, shapes)


def _check_shape(adapter: Path, key: str, matrix: Matrix, base: tuple[int, ...] | None, side: str) -> None:
    """GGUF gives a matrix's shape as (in, out); A is (rank, in) and B is (out, rank)."""
    if base is None or matrix.ndim != 2 or matrix.shape[1 if side == "A" else 0] != base[0 if side == "A" else 1]:
        raise UserError(
            f"{adapter}: {key} has shape {matrix.shape}, which does not fit this base model.",
            "The adapter was trained on another base: set `base` in persona.toml.",
        )


def permute(rows: Matrix, heads: int) -> Matrix:
    """Interleave the two rotary halves of each head, as llama.cpp stores the rows of q and k."""
    out, rank = rows.shape
    return rows.reshape(heads, 2, out // heads // 2, rank).swapaxes(1, 2).reshape(out, rank)


def read_weights(adapter: Path) -> dict[str, Matrix]:
    """The adapter's matrices by PEFT key, in float32 whatever they were saved in."""
    path = adapter / ADAPTER_WEIGHTS
    from safetensors import SafetensorError, deserialize

    try:
        tensors: list[tuple[str, dict[str, Any]]] = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.", "Add the persona again.") from error
    except SafetensorError as error:
        raise UserError(f"{path} is damaged ({error}).", "Add the persona again.") from error
    weights: dict[str, Matrix] = {}
    for key, tensor in tensors:
        weights[key] = widen(tensor["data"], tensor["dtype"], path, key).reshape(tensor["shape"])
    return weights
