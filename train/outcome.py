"""What a run came to: how well each speaker is foreseen, the curves, and the personas."""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from persona.card import Card, Context, Persona, Sampling, load_persona
from persona.errors import UserError
from persona.names import slug
from persona.paths import PRIVATE_FILE_MODE, models_dir, personas_dir
from train.dataset.options import CARD_NAME as DATASET_CARD
from train.environment import training_environ, training_python
from train.losses import Curve, curve_of
from train.register import register, register_base
from train.runs import RECIPE, SUMMARY, Run, Stage
from train.schedule import result_of
from train.training import results_of

HISTORY = "history.json"
PICTURE = "loss.png"

Losses = Mapping[str, Mapping[str, float]]
"""Held-out loss by model and speaker, as `train.training.held_out` returns it."""

MadeBy = dict[str, str | int | float]


def curves_of(run: Run) -> dict[str, Curve]:
    """The loss curves of each stage by its name; also written to the run's folder, for the picture."""
    curves = {stage.name: curve_of(stage) for stage in run.stages}
    path = run.folder / HISTORY
    path.write_bytes(msgspec.json.format(msgspec.json.encode(curves)))
    path.chmod(PRIVATE_FILE_MODE)
    return curves


def draw(run: Run) -> Path | None:
    """Draw the curves that `curves_of` wrote; the picture, or None where the training environment cannot."""
    python, picture = training_python(), run.folder / PICTURE
    command = [str(python), "-m", "train.plots", str(run.folder / HISTORY), str(picture)]
    done = subprocess.run(command, env=training_environ(python), capture_output=True)
    if done.returncode or not picture.is_file():
        return None
    picture.chmod(PRIVATE_FILE_MODE)
    return picture


def made_by(run: Run, speaker: str, losses: Losses, versions: Mapping[str, str]) -> MadeBy:
    """How `speaker`'s adapter came to be, for their card."""
    stages = [stage for stage in run.stages if stage.name in ("joint", speaker)]
    found: MadeBy = {
        "run": run.name,
        "run_id": run.plan.id,
        "recipe": run.plan.recipe,
        "recipe_sha256": _sha256(run.folder / RECIPE),
        "dataset_sha256": run.plan.dataset_sha256,
        "day": datetime.date.today().isoformat(),
        "adapter": "own" if run.plan.per_persona else "shared",
        "tokens": sum(stage.done.tokens for stage in stages if stage.done),
        "epochs": " + ".join(f"{stage.done.epochs:g}" for stage in stages if stage.done),
    }
    card = Path(run.plan.dataset) / DATASET_CARD
    if card.is_file():
        found["dataset_card_sha256"] = _sha256(card)
    found |= {name: versions[name] for name in ("axolotl", "peft") if name in versions}
    if stages and (points := curve_of(stages[-1]).training):
        found["loss"] = round(points[-1][1], 3)
    if speaker in losses["base"]:
        found["held_out_loss_base"] = round(losses["base"][speaker], 3)
        found["held_out_loss"] = round(losses[speaker][speaker], 3)
    return found


def register_run(
    run: Run,
    losses: Losses,
    versions: Mapping[str, str],
    data: Path,
    *,
    owner: str,
    context: Callable[[str], Context | None],
) -> list[Persona]:
    """Make a persona of each speaker, or a new version; a base of its own first if every weight was trained.

    Run again after it was cut off, it makes nothing twice.

    Raises:
        UserError: what was trained cannot be served.
    """
    results = results_of(run)
    base = Path(run.plan.base).name
    whole = next((folder for folder in results.values() if result_of(folder) == "model"), None)
    if whole is not None:
        base = register_base(whole, run.name, run.plan.id, models_dir(data)).name
    personas = []
    for speaker, folder in results.items():
        there = _registered(personas_dir(data) / slug(speaker), run)
        if there is not None:
            personas.append(there)
            continue
        card = Card(
            speaker=speaker,
            base=base,
            owner=owner,
            interlocutor="" if speaker != owner else next((s for s in run.plan.speakers if s != owner), ""),
            context=context(speaker),
            sampling=Sampling(temperature=0.8, min_p=0.08, repetition_penalty=1.05, max_tokens=200),
            made_by=made_by(run, speaker, losses, versions),
        )
        personas.append(register(None if whole else folder, card, personas_dir(data)))
    return personas


def _registered(folder: Path, run: Run) -> Persona | None:
    """The persona in `folder` if this run made it."""
    try:
        persona = load_persona(folder)
    except UserError:
        return None
    return persona if persona.card.made_by.get("run_id") == run.plan.id else None


def write_summary(run: Run, losses: Losses, personas: list[Persona]) -> None:
    """Write `summary.json`, with which the run is finished."""
    summary = {
        "stages": {stage.name: msgspec.to_builtins(stage.done) for stage in run.stages},
        "held_out_loss": losses,
        "personas": {persona.id: persona.card.version for persona in personas},
    }
    path = run.folder / SUMMARY
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8")
    path.chmod(PRIVATE_FILE_MODE)


def stage_row(stage: Stage, curve: Curve) -> tuple[str, ...]:
    """A line of the table of stages: name, minutes, steps, tokens a second, loss of training and held out."""
    done = stage.done
    if done is None:
        return (stage.name, "-", "-", "-", "-", "-")

    def change(points: list[tuple[float, float]]) -> str:
        return f"{points[0][1]:.2f} → {points[-1][1]:.2f}" if points else "-"

    minutes, speed = f"{done.seconds / 60:.1f}", f"{done.tokens_per_second:,.0f}"
    return (stage.name, minutes, str(done.steps), speed, change(curve.training), change(curve.evaluation))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
