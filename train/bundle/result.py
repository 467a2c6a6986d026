"""What comes back from a rented machine: opened, checked, and made into cards.

Whoever runs a machine could hand back anything. So nothing is unpacked but plain files, every file has the hash that
the result lists, the bundle is one that left from here (or was made of the very dataset that is here), and the base is
the one it would be served on. A sealed result also shows that it comes from somebody who knows the passphrase.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from persona.bases import gguf_path
from persona.card import Card, Context, Sampling
from persona.errors import UserError
from persona.gguf_lora import read_config, read_weights
from persona.names import clean_name, slug
from persona.paths import models_dir
from train.bundle.archive import ArchiveError, extract, first_difference, sha256
from train.bundle.machine import MANIFEST, RESULT
from train.bundle.sealing import SealError, is_sealed, unseal

# What of a base's config.json two copies of one model agree in, whatever version of transformers wrote them.
_SHAPE = (
    "model_type hidden_size num_hidden_layers num_attention_heads num_key_value_heads intermediate_size vocab_size"
).split()
_STAGE = re.compile(r"[a-z0-9-]{1,40}")


class _Stage(msgspec.Struct):
    name: str
    speaker: str | None


class _Base(msgspec.Struct):
    name: str
    source: str
    path: str
    revision: str | None = None


class _Recipe(msgspec.Struct):
    name: str
    sha256: str


class _Trained(msgspec.Struct):
    context: str | None = None


class Manifest(msgspec.Struct):
    """The part of a bundle's manifest that its result is judged by."""

    format: int
    adapter: bool
    recipe: _Recipe
    base: _Base
    dataset: dict[str, str]
    speakers: dict[str, _Trained]
    stages: list[_Stage]
    files: dict[str, str]


class _MadeOf(msgspec.Struct):
    config: dict[str, Any]
    commit: str | None = None


class _Done(msgspec.Struct):
    seconds: float
    finished: str


class _Result(msgspec.Struct):
    format: int
    bundle: str
    base: _MadeOf
    stages: dict[str, _Done]
    files: dict[str, str]
    versions: dict[str, str] = {}
    gpus: list[str] = []


class _Score(msgspec.Struct):
    nats: float
    tokens: int


class Result(msgspec.Struct):
    """A result that is whole, in the folder it was unpacked to."""

    folder: Path
    manifest: Manifest
    said: _Result

    @property
    def model(self) -> Path | None:
        """The folder of a model of its own, where every weight was trained; None for adapters."""
        return None if self.manifest.adapter else self.folder / "made" / self.manifest.stages[-1].name

    @property
    def name(self) -> str:
        """What the run is called: its recipe and the beginning of the bundle's id."""
        return f"{slug(self.manifest.recipe.name)}-{self.said.bundle[:8]}"

    def stage_of(self, speaker: str) -> str:
        """The stage whose adapter is `speaker`'s: their own, or the one they share."""
        own = next((stage.name for stage in self.manifest.stages if stage.speaker == speaker), None)
        return own or self.manifest.stages[0].name

    def adapter_of(self, speaker: str) -> Path:
        """The folder of the adapter that is `speaker`'s."""
        return self.folder / "made" / self.stage_of(speaker)

    def cards(self, base: str, owner: str) -> list[Card]:
        """A card for each speaker, with how they were made; to be served on `base`."""
        losses = self._losses()
        speakers = list(self.manifest.speakers)
        cards = []
        for speaker, trained in self.manifest.speakers.items():
            stage = self.stage_of(speaker)
            made_by: dict[str, str | int | float] = {
                "run": self.name,
                "recipe": self.manifest.recipe.name,
                "recipe_sha256": self.manifest.recipe.sha256,
                "dataset_sha256": self._dataset_sha256(),
                "day": self.said.stages[stage].finished[:10],
                "adapter": "own" if self.manifest.stages[-1].speaker else "shared",
                "bundle": self.said.bundle,
                "trained_on": ", ".join(self.said.gpus) or "cpu",
                **{name: self.said.versions[name] for name in ("axolotl", "peft") if name in self.said.versions},
            }
            for key, model in (("held_out_loss_base", "base"), ("held_out_loss", stage)):
                if speaker in losses.get(model, {}):
                    made_by[key] = round(losses[model][speaker], 3)
            cards.append(
                Card(
                    speaker=speaker,
                    base=base,
                    owner=owner,
                    interlocutor="" if speaker != owner else next((one for one in speakers if one != owner), ""),
                    context=None if trained.context is None else Context(trained.context),
                    sampling=Sampling(temperature=0.8, min_p=0.08, repetition_penalty=1.05, max_tokens=200),
                    made_by=made_by,
                )
            )
        return cards

    def _dataset_sha256(self) -> str:
        """As `train.runs.set_sha256` makes it."""
        sums = (self.manifest.dataset[name] for name in ("train.jsonl", "eval.jsonl"))
        return hashlib.sha256(b"".join(map(bytes.fromhex, sums))).hexdigest()

    def _losses(self) -> dict[str, dict[str, float]]:
        """Held-out loss in nats per token by model and speaker; empty where nothing was scored."""
        path = self.folder / "scores.json"
        if not path.is_file():
            return {}
        scores = _decoded(path, dict[str, dict[str, _Score]])
        return {
            model: {speaker: score.nats / score.tokens for speaker, score in by_speaker.items() if score.tokens}
            for model, by_speaker in scores.items()
        }


def is_result(path: Path) -> bool:
    """Whether `path` looks like what `run.sh` packs: a sealed file, or a tar file with a result in it."""
    import tarfile

    if not path.is_file():
        return False
    return is_sealed(path) or tarfile.is_tarfile(path)


def open_result(path: Path, into: Path, passphrase: Callable[[], str]) -> Result:
    """Unpack the result `path` into the empty folder `into`, and see that it is whole.

    Args:
        path: result.tar or result.sealed.
        into: where its files go.
        passphrase: asked when it is sealed.

    Raises:
        UserError: it is not a result, is damaged or was changed, or the passphrase is wrong.
    """
    clear = path
    try:
        if is_sealed(path):
            clear = into / "result.tar"
            unseal(path, clear, passphrase())
        folder = into / "result"
        folder.mkdir(mode=0o700)
        names = extract(clear, folder)
    except (SealError, ArchiveError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"cannot unpack {path}: {error.strerror}.", "Is there space on the disk?") from error
    if "run.sh" in {Path(name).name for name in names}:
        raise UserError(
            f"{path} is a bundle, not what it makes.", "Run run.sh on the rented machine, and add result.tar."
        )
    if not {RESULT, MANIFEST} <= names:
        raise UserError(
            f"{path} is not the result of a bundle, or breaks off.", "Take the result.tar that run.sh packs at the end."
        )
    said, manifest = _decoded(folder / RESULT, _Result), _decoded(folder / MANIFEST, Manifest)
    wrong = first_difference(folder, said.files)
    unlisted = sorted(names - {RESULT} - set(said.files))
    if not wrong and unlisted:
        wrong = f"{unlisted[0]} is not in its list"
    if not wrong and sha256(folder / MANIFEST) != said.bundle:
        wrong = f"{MANIFEST} is another bundle's"
    if wrong:
        raise UserError(f"{path} is not as it was packed: {wrong}.", "Copy it from the machine again.")
    _check_names(path, said, manifest)
    return Result(folder, manifest, said)


def _check_names(path: Path, said: _Result, manifest: Manifest) -> None:
    """What the manifest names is there, and is a name."""
    if manifest.format != 1 or said.format != 1:
        raise UserError(f"{path} was made by a newer Greenroom.", "Update this one.")
    named = all(_STAGE.fullmatch(stage.name) and stage.name in said.stages for stage in manifest.stages)
    speakers = all(clean_name(speaker) == speaker for speaker in manifest.speakers)
    if not (
        named
        and speakers
        and manifest.stages
        and manifest.speakers
        and {"train.jsonl", "eval.jsonl"} <= set(manifest.dataset)
    ):
        raise UserError(f"{path} names stages or speakers that it cannot have.", "Take the result.tar of run.sh.")


def _decoded(path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} in the result cannot be read: {error}.", "Copy it again.") from error


def check_belongs(result: Result, dataset: Path, records: Path) -> None:
    """See that the result is of a bundle that left from here, or was made of the dataset in folder `dataset`.

    Args:
        result: as opened.
        dataset: the set that is here now.
        records: the manifests of the bundles that left (`packing.RECORDS`).

    Raises:
        UserError: it is neither.
    """
    if (records / f"{result.said.bundle}.json").is_file():
        return
    here = {name: sha256(dataset / name) for name in result.manifest.dataset if (dataset / name).is_file()}
    if here == result.manifest.dataset:
        return
    different = next(name for name, sum_ in result.manifest.dataset.items() if here.get(name) != sum_)
    raise UserError(
        f"this result was made of another dataset: its {different} is not the one in {dataset}, and no bundle "
        f"{result.said.bundle[:12]} left from here.",
        "Name the set it was made of with --dataset, or add it where the bundle was made (--data).",
    )


def check_base(result: Result, data: Path) -> str | None:
    """See that the base here is the one that was trained on; a note for where it is not here at all.

    Raises:
        UserError: the base of that name is another one.
    """
    name = result.manifest.base.name
    if Path(name).name != name or not name:
        raise UserError(f"the result names a base {name!r}, which is no name.", "Take the result.tar of run.sh.")
    folder = models_dir(data) / name
    here = folder / "config.json"
    listed = {file: sum_ for file, sum_ in result.manifest.files.items() if file.startswith("base/")}
    if here.is_file():
        config = json.loads(here.read_bytes())
        other = next((key for key in _SHAPE if config.get(key) != result.said.base.config.get(key)), None)
        if other:
            raise UserError(
                f"this result was trained on another base than the {name} here: its {other} is "
                f"{result.said.base.config.get(other)}, here it is {config.get(other)}.",
                f"Put the right base in {folder}.",
            )
        wrong = first_difference(
            folder.parent, {f"{name}/{file.removeprefix('base/')}": listed[file] for file in listed}
        )
        if wrong:
            raise UserError(f"the base {name} here is not the one that was trained on: {wrong}.", "Put that one back.")
        return None
    try:
        gguf_path(name, data)
    except UserError:
        return f"The base {name} is not here yet; to serve them, put it in {models_dir(data)}."
    return None


def check_adapters(result: Result) -> None:
    """See that every adapter can be read and served, before any is registered.

    Raises:
        UserError: one cannot.
    """
    for adapter in sorted({result.adapter_of(speaker) for speaker in result.manifest.speakers}):
        read_config(adapter)
        read_weights(adapter)
        trained_on = json.loads((adapter / "adapter_config.json").read_bytes()).get("base_model_name_or_path")
        if trained_on != result.manifest.base.path:
            raise UserError(
                f"the adapter {adapter.name} in the result was trained on {trained_on!r}, not on "
                f"{result.manifest.base.path!r} as its bundle says.",
                "Take the result.tar of run.sh.",
            )
