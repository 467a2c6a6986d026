"""Exposure of planted secrets, after The Secret Sharer (Carlini, Liu, Erlingsson, Kos and Song, 2019).

    exposure = log2 |R| - log2 rank

where R are all the secrets that a canary could have been, and the rank is its place among them by likelihood. R is
sampled: among n others, the rank in the sample stands for that in R (section 4.4 there), and the exposure is at most
log2(n + 1). A secret that was never seen has 1.4 bits on average, and b bits or more with probability 2^-b.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from persona.card import Persona
from persona.errors import UserError
from persona.template import TURN_START, Turn, render
from train.dataset.canaries import Canary, candidates
from train.environment import training_environ, training_python


class Exposure(msgspec.Struct, frozen=True):
    """What a persona makes of one canary.

    Attributes:
        canary: which.
        bits: its exposure.
        probability: that sampling at temperature 1, after the words before the secret, gives it exactly.
        greedy: whether the likeliest words after those give it.
    """

    canary: Canary
    bits: float
    probability: float
    greedy: bool


def exposure_bits(nats: float, others: Sequence[float]) -> float:
    """Return the exposure in bits of a secret with so many nats among others that could have been; ties count against.

    At rank 1 of n + 1 it is log2(n + 1), at the last 0.
    """
    rank = 1 + sum(other <= nats for other in others)
    return math.log2(len(others) + 1) - math.log2(rank)


def prompt_of(canary: Canary) -> str:
    """Return what stands before a canary's secret in the training text; the space before the secret is not in it."""
    asked = render([Turn(role=canary.asker, content=canary.question)])
    return f"{asked}{TURN_START}{canary.speaker}\n{canary.opening}"


def exposures(persona: Persona, base: Path, canaries: Sequence[Canary], *, count: int, seed: int) -> list[Exposure]:
    """Return the exposure of each canary among `count` others, by likelihood under the persona's adapter.

    Raises:
        UserError: the training environment is missing, or the scorer stopped.
    """
    # Canaries of one thing share the others they are compared with.
    things: dict[str, list[Canary]] = {}
    for canary in canaries:
        things.setdefault(prompt_of(canary), []).append(canary)
    jobs = []
    for prompt, alike in things.items():
        others = candidates(alike[0], count + len(alike), seed)
        texts = [f" {secret}" for secret in [one.secret for one in alike] + others]
        jobs.append({"prompt": prompt, "continuations": texts})
    found = {}
    for alike, rows in zip(things.values(), _scored(persona, base, jobs), strict=True):
        planted = {one.secret for one in alike}
        others = candidates(alike[0], count + len(alike), seed)
        nats = [row[0] for secret, row in zip(others, rows[len(alike) :], strict=True) if secret not in planted]
        for canary, (own, greedy) in zip(alike, rows, strict=False):
            found[canary] = Exposure(canary, exposure_bits(own, nats[:count]), math.exp(-own), greedy)
    return [found[canary] for canary in canaries]


def _scored(persona: Persona, base: Path, jobs: Sequence[Mapping[str, object]]) -> list[list[tuple[float, bool]]]:
    python = training_python()
    with tempfile.TemporaryDirectory() as folder:  # only its owner can enter it
        ask, out = Path(folder) / "jobs.json", Path(folder) / "out.json"
        adapter = str(persona.adapter) if persona.adapter else None
        ask.write_text(json.dumps({"base": str(base), "models": {"it": adapter}, "jobs": {"it": jobs}}), "utf-8")
        environ = {**training_environ(python), "HF_HUB_OFFLINE": "1"}
        command = [str(python), "-m", "train.evaluation.continuations", str(ask), str(out)]
        if subprocess.run(command, env=environ).returncode:
            raise UserError("the canaries could not be scored; the reason is above.", "greenroom doctor")
        rows: list[list[tuple[float, bool]]] = json.loads(out.read_text("utf-8"))["it"]
        return rows
