"""What a model is trained on: the cards of this machine, a card somebody may rent, or the processor.

Memory and speed of the cards are from the makers' public data sheets: dense bfloat16 (float16 where a card has no
bfloat16) with sums in float32, in TFLOPS, without sparsity.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import msgspec

from persona.errors import UserError

GIB = 1 << 30


class Device(msgspec.Struct, frozen=True):
    """One kind of card or processor, and how many of them.

    Attributes:
        name: as `--gpu` takes it; "cpu" for the processor.
        memory: bytes of one.
        tflops: of one, in the precision that training takes.
        bf16: whether it computes in bfloat16.
        count: how many.
    """

    name: str
    memory: int
    tflops: float
    bf16: bool = True
    count: int = 1

    @property
    def is_cpu(self) -> bool:
        """Whether it is the processor and not a card."""
        return self.name == "cpu"

    def __str__(self) -> str:
        """As a person would say it: "8 x a100-80"."""
        return self.name if self.count == 1 else f"{self.count} x {self.name}"


def _card(name: str, gib: int, tflops: float, bf16: bool = True) -> Device:
    return Device(name, gib * GIB, tflops, bf16)


CARDS = {
    card.name: card
    for card in (
        _card("t4", 16, 65, bf16=False),
        _card("v100-16", 16, 125, bf16=False),
        _card("v100-32", 32, 125, bf16=False),
        _card("rtx3090", 24, 71),
        _card("rtx4080", 16, 97.5),
        _card("rtx4090", 24, 165),
        _card("rtx5090", 32, 209.5),
        _card("a10", 24, 125),
        _card("a40", 48, 150),
        _card("rtxa6000", 48, 155),
        _card("l4", 24, 121),
        _card("l40s", 48, 362),
        _card("a100-40", 40, 312),
        _card("a100-80", 80, 312),
        _card("h100", 80, 989),
        _card("h100-pcie", 80, 756),
        _card("h200", 141, 989),
        _card("b200", 180, 2250),
        _card("mi300x", 192, 1307),
    )
}
"""By the name `--gpu` takes."""

# How nvidia-smi calls them, most special first.
_SMI_NAMES = (
    ("H100 PCIe", "h100-pcie"), ("H100", "h100"), ("H200", "h200"), ("B200", "b200"), ("L40S", "l40s"), ("L4", "l4"),
    ("RTX A6000", "rtxa6000"), ("RTX 3090", "rtx3090"), ("RTX 4080", "rtx4080"), ("RTX 4090", "rtx4090"),
    ("RTX 5090", "rtx5090"), ("A100", "a100-80"), ("A10", "a10"), ("A40", "a40"), ("V100", "v100-32"), ("T4", "t4"),
)  # fmt: skip


def named(name: str) -> Device:
    """The card called `name`, or several of them: "rtx3090", "8xa100-80".

    Raises:
        UserError: there is none; lists those there are.
    """
    said = re.fullmatch(r"(?:(\d+)\s*[xX*]\s*)?(\S+)", name.strip())
    card = CARDS.get(said[2].lower()) if said else None
    if said is None or card is None or said[1] == "0":
        there = ", ".join(CARDS)
        raise UserError(
            f"there is no card {name!r} in the table.", f"There are {there}; several are written 8xa100-80."
        )
    return msgspec.structs.replace(card, count=int(said[1] or 1))


def parse_smi(listing: str) -> list[Device]:
    """The cards in what `nvidia-smi --query-gpu=name,memory.total,compute_cap --format=csv,noheader,nounits` prints.

    A card that is not in the table keeps its name and has no speed (0).
    """
    cards = []
    for line in listing.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) < 3 or not fields[1].isdigit():
            continue
        full, memory = fields[0], int(fields[1]) << 20
        name = next((ours for theirs, ours in _SMI_NAMES if re.search(rf"\b{theirs}\b", full)), "")
        bf16 = float(fields[2]) >= 8 if re.fullmatch(r"\d+\.\d+", fields[2]) else True
        tflops = CARDS[name].tflops if name else 0.0
        cards.append(Device(name or full, memory, tflops, bf16))
    return cards


def cards_here() -> list[Device]:
    """The NVIDIA cards that a process started now would see, in their order; none where there is no nvidia-smi."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return []
    query = [smi, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    cards = parse_smi(done.stdout) if done.returncode == 0 else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return cards
    chosen = [part.strip() for part in visible.split(",")]
    return [cards[int(part)] for part in chosen if part.isdigit() and int(part) < len(cards)]


def processor() -> Device:
    """This machine's processor: its memory, and its speed as measured now in a fifth of a second."""
    bf16 = _computes_bfloat16()
    return Device("cpu", memory_here(), matmul_tflops() * (2 if bf16 else 1), bf16)


def memory_here() -> int:
    """Bytes of memory this machine has, or that its container allows."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(allowed)) if allowed.isdigit() else total


def matmul_tflops() -> float:
    """How fast numpy multiplies float32 matrices of a small model's size here, in TFLOPS: the best of several."""
    import numpy as np

    rows, inner, columns = 512, 576, 1536
    left, right = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    best, end = 0.0, time.perf_counter() + 0.2
    while time.perf_counter() < end:
        start = time.perf_counter()
        left @ right
        best = max(best, 2e-12 * rows * inner * columns / (time.perf_counter() - start))
    return best


def _computes_bfloat16() -> bool:
    """Whether the processor computes in bfloat16, as `train.axolotl_cpu` will find too."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
