"""Tensors of a safetensors file, one at a time and in float32, without torch.

The format (https://github.com/huggingface/safetensors#format): eight bytes of header length, little-endian, a JSON
header of dtype, shape and byte range for each tensor, then the bytes. numpy has no bfloat16, so the library's own numpy
loader refuses such files; widening one is shifting its bits up by sixteen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from persona.errors import UserError

Matrix = npt.NDArray[np.float32]


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class Tensor(msgspec.Struct, frozen=True):
    """Where a tensor lies.

    Attributes:
        name: as the model calls it.
        shape: rows first.
    """

    name: str
    shape: tuple[int, ...]
    path: Path
    dtype: str
    start: int
    size: int

    def read(self) -> Matrix:
        """The values.

        Raises:
            UserError: the file breaks off.
        """
        with self.path.open("rb") as file:
            file.seek(self.start)
            raw = file.read(self.size)
        if len(raw) != self.size:
            raise UserError(f"{self.path} breaks off.", "Copy it again.")
        return widen(raw, self.dtype, self.path, self.name).reshape(self.shape)


def widen(raw: bytes, dtype: str, path: Path, name: str) -> Matrix:
    """Values stored as F16, BF16 or F32, as a flat array of float32.

    Raises:
        UserError: they are stored as something else.
    """
    if dtype == "BF16":
        return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
    if dtype in ("F16", "F32"):
        return np.frombuffer(raw, np.float16 if dtype == "F16" else np.float32).astype(np.float32)
    raise UserError(f"{path}: {name} is {dtype}; only F16, BF16 and F32 are read.", "Save it again.")


def tensors_of(path: Path) -> Iterator[Tensor]:
    """The tensors of one file, in the order of its header.

    Raises:
        UserError: it is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= 100_000_000:
                raise ValueError("no header")
            header = msgspec.json.decode(file.read(length), type=dict[str, msgspec.Raw])
        header.pop("__metadata__", None)
        entries = {name: msgspec.json.decode(raw, type=_Entry) for name, raw in header.items()}
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise UserError(f"{path} is not a safetensors file ({error}).", "Copy it again.") from error
    for name, entry in entries.items():
        start, end = entry.data_offsets
        yield Tensor(name, tuple(entry.shape), path, entry.dtype, 8 + length + start, end - start)
