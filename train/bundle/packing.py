"""Writes a bundle: everything that a rented machine needs to train a recipe on a dataset, in one file.

greenroom-bundle/run.sh           what to start there
greenroom-bundle/payload.tar.gz   or, sealed with a passphrase, payload.sealed and sealing.py
    manifest.json    what is in it and what it was made from, with a hash of every file
    data/            train.jsonl, eval.jsonl, the set's card; own-N/ holds one speaker's own turns
    stages/NAME.yml  one axolotl configuration each, with paths inside the bundle
    base/            the base model, where it does not come from Hugging Face
    code/            the modules that run there, and the template
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.bundle.archive import sha256, write_tar
from train.bundle.machine import MANIFEST
from train.bundle.sealing import Lock, SealError, seal
from train.dataset.options import CARD_NAME as DATASET_CARD
from train.environment import ROOT
from train.recipe import Recipe, base_name, placed, write_recipe
from train.register import context_of
from train.training import (
    ON_THE_CPU,
    OWN_ACCUMULATION,
    OWN_EPOCHS,
    OWN_RATE,
    read_set,
    speakers_of,
    write_own_turns,
)

FORMAT = 1
FOLDER = "greenroom-bundle"
RECORDS = "bundles"
"""Folder of the private folder that keeps the manifest of each bundle that was written."""

_HERE = Path(__file__).parent
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# What an axolotl configuration says about held-out data; without any, none of it can stay.
_EVALUATION = (
    "test_datasets evals_per_epoch eval_steps eval_strategy eval_sample_packing load_best_model_at_end".split()
)
_BASE_FILES = ("*.safetensors", "*.json", "*.model", "*.jinja", "merges.txt", "vocab.txt")


class Needs(msgspec.Struct, frozen=True):
    """What the rented machine must have.

    Attributes:
        gpu: whether the recipe trains on a GPU.
        gpu_memory_gb: memory of each GPU; 0 where it was not estimated.
        disk_gb: free space in the bundle's folder and the cache of models.
    """

    gpu: bool
    gpu_memory_gb: float
    disk_gb: float


class Contents(msgspec.Struct, frozen=True):
    """What is about to leave this machine, to be said before it is written."""

    speakers: list[str]
    train_lines: int
    eval_lines: int
    turns: int
    redacted: bool | None
    """None where the set has no card that could say so."""
    redactions: int
    base: str
    base_bytes: int
    """Of the base model if it goes along, else 0."""


class _CardOptions(msgspec.Struct):
    redact: bool = False


class _CardOrigin(msgspec.Struct):
    redaction_key: str | None = None


class _Card(msgspec.Struct):
    options: _CardOptions = msgspec.field(default_factory=_CardOptions)
    made_from: _CardOrigin = msgspec.field(default_factory=_CardOrigin)
    redacted: dict[str, int] = {}


class Bundle:
    """A bundle to be written: what it was asked for, checked."""

    def __init__(
        self, recipe: Recipe, recipe_path: Path, dataset: Path, *, base: Path | None, start_from: Path | None = None
    ) -> None:
        """Look at what will be packed.

        Args:
            recipe: the recipe as read.
            recipe_path: its file.
            dataset: folder with train.jsonl and eval.jsonl.
            base: folder of the base's safetensors, to go along; None leaves it to Hugging Face.
            start_from: a joint adapter made before, to go on from.

        Raises:
            UserError: the dataset cannot be read, or the base comes from nowhere.
        """
        if base is None and not from_hub(recipe):
            raise UserError(
                f"the base {recipe['base_model']!r} is neither a folder here nor a name on Hugging Face.",
                "Set base_model in the recipe to OWNER/NAME, or put its safetensors in data/models.",
            )
        self.recipe, self.recipe_path, self.dataset, self.base, self.start_from = (
            recipe,
            recipe_path,
            dataset,
            base,
            start_from,
        )
        self.train, self.held_out = read_set(dataset / "train.jsonl"), read_set(dataset / "eval.jsonl")
        self.speakers = speakers_of(dataset)
        self.context = context_of(dataset)

    @property
    def base_bytes(self) -> int:
        """Of the base model if it goes along, else 0."""
        return sum(path.stat().st_size for path in self._base_files())

    def contents(self) -> Contents:
        """What leaves this machine."""
        redacted, redactions = _redaction(self.dataset / DATASET_CARD)
        return Contents(
            speakers=self.speakers,
            train_lines=len(self.train),
            eval_lines=len(self.held_out),
            turns=sum(len(conversation) for conversation in [*self.train, *self.held_out]),
            redacted=redacted,
            redactions=redactions,
            base=base_name(self.recipe),
            base_bytes=self.base_bytes,
        )

    def write(self, out: Path, *, per_persona: bool, needs: Needs, lock: Lock | None, records: Path) -> str:
        """Write the bundle to `out`, and its manifest to folder `records`; its id, the manifest's SHA-256.

        Args:
            out: the file to write.
            per_persona: go on from the joint adapter for each speaker.
            needs: what the machine must have.
            lock: seal it with this; None leaves it open to whoever gets it.
            records: where the manifest is kept, so that the result is known again.

        Raises:
            UserError: it cannot be written.
        """
        try:
            with tempfile.TemporaryDirectory(dir=make_private_dir(out.parent.resolve()), prefix=".bundle-") as name:
                return self._write(out, Path(name), per_persona, needs, lock, records)
        except OSError as error:
            raise UserError(
                f"{out} cannot be written: {error.strerror}.", "Look at the folder, and the space that is left."
            ) from error
        except SealError as error:
            raise UserError(str(error)) from error

    def _write(self, out: Path, draft: Path, per_persona: bool, needs: Needs, lock: Lock | None, records: Path) -> str:
        stages = self._stages(draft, per_persona)
        if not stages:
            raise UserError(
                "there is nothing to train: the adapter is made.", "Add --per-persona, or leave out --from."
            )
        for name in ("train.jsonl", "eval.jsonl", DATASET_CARD):
            if (self.dataset / name).is_file():
                shutil.copyfile(self.dataset / name, draft / "data" / name)
        members = {str(path.relative_to(draft)): path for path in draft.rglob("*") if path.is_file()}
        members |= {f"base/{path.name}": path for path in self._base_files()}
        if self.start_from:
            members |= {f"start/{path.name}": path for path in _adapter_files(self.start_from)}
        members |= {f"code/{path.relative_to(ROOT)}": path for path in self._code()}
        manifest = self._manifest(stages, needs, {name: sha256(path) for name, path in members.items()})
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False).encode()
        payload = draft / "payload.tar.gz"
        write_tar(payload, {**members, MANIFEST: text}, compress=True)
        outer: dict[str, Path | bytes] = {"run.sh": _HERE / "run.sh", payload.name: payload}
        if lock:
            sealed = draft / "payload.sealed"
            seal(payload, sealed, lock)
            outer = {"run.sh": _HERE / "run.sh", sealed.name: sealed, "sealing.py": _HERE / "sealing.py"}
        write_tar(out, {f"{FOLDER}/{name}": content for name, content in outer.items()})
        return _keep(text, records)

    def _stages(self, draft: Path, per_persona: bool) -> list[dict[str, Any]]:
        """Write each stage's configuration, and the own sets; the stages as the manifest lists them."""
        for folder in ("stages", "data"):
            make_private_dir(draft / folder)
        stages = []
        if self.start_from is None:
            stages.append(self._stage(draft, "joint", None, Path("data"), None))
        if per_persona:
            joint = Path("start") if self.start_from else Path("out/joint")
            for number, speaker in enumerate(self.speakers, 1):
                own = Path("data") / f"own-{number}"
                write_own_turns(self.dataset, speaker, draft / own)
                stages.append(self._stage(draft, f"own-{number}", speaker, own, joint))
        return stages

    def _stage(
        self, draft: Path, name: str, speaker: str | None, sets: Path, start_from: Path | None
    ) -> dict[str, Any]:
        run = Path("runs") / name
        ready = placed(
            self.recipe if speaker is None else own_recipe(self.recipe),
            base=Path("base") if self.base else Path(self.recipe["base_model"]),
            train=sets / "train.jsonl",
            evaluation=sets / "eval.jsonl",
            run=run,
            start_from=start_from,
        )
        ready["output_dir"] = str(Path("out") / name)
        ready["auto_resume_from_checkpoints"] = True
        if speaker is not None and not (draft / sets / "eval.jsonl").stat().st_size:
            ready = {key: value for key, value in ready.items() if key not in _EVALUATION}
        config = Path("stages") / f"{name}.yml"
        write_recipe(ready, draft / config)
        # accelerate's launcher has nothing to launch on a CPU but a second interpreter.
        launcher = "python" if on_cpu(self.recipe) else "default"
        return {
            "name": name,
            "speaker": speaker,
            "config": str(config),
            "out": ready["output_dir"],
            "launcher": launcher,
        }

    def _base_files(self) -> list[Path]:
        if self.base is None:
            return []
        return sorted({path for pattern in _BASE_FILES for path in self.base.glob(pattern) if path.is_file()})

    def _code(self) -> list[Path]:
        """The modules of ours that run there: the machine's side, the scorer, and the recipe's plugins."""
        plugins = [name.rsplit(".", 1)[0] for name in self.recipe.get("plugins") or []]
        ours = [name for name in plugins if _module_file(name)]
        modules = [_HERE / "machine.py", ROOT / "train" / "score.py", *filter(None, map(_module_file, ours))]
        return sorted({*_closure(modules), ROOT / "persona" / "chatml.jinja"})

    def _manifest(self, stages: list[dict[str, Any]], needs: Needs, files: dict[str, str]) -> dict[str, Any]:
        adapter = bool(self.recipe.get("adapter"))
        base_path = "base" if self.base else self.recipe["base_model"]
        contexts = {speaker: self.context(speaker) for speaker in self.speakers}
        return {
            "format": FORMAT,
            "made_by": f"greenroom {importlib.metadata.version('greenroom')}",
            "axolotl": _axolotl_version(),
            "recipe": {"name": self.recipe_path.stem, "sha256": sha256(self.recipe_path)},
            "adapter": adapter,
            "base": {
                "name": base_name(self.recipe),
                "source": "bundle" if self.base else "huggingface",
                "path": base_path,
                "revision": self.recipe.get("revision_of_model"),
            },
            "dataset": {
                name: files[f"data/{name}"]
                for name in ("train.jsonl", "eval.jsonl", DATASET_CARD)
                if f"data/{name}" in files
            },
            "template": files["code/persona/chatml.jinja"],
            "speakers": {
                speaker: {"context": context.platform if context else None} for speaker, context in contexts.items()
            },
            "needs": msgspec.to_builtins(needs),
            "stages": stages,
            "scoring": self._scoring(base_path, stages) if adapter else [],
            "files": files,
        }

    def _scoring(self, base: str, stages: list[dict[str, Any]]) -> list[str]:
        """The arguments of `train.score` there."""
        arguments = ["--base", base, "--data", "data/eval.jsonl", "--out", "state/scores.json"]
        if self.recipe.get("load_in_4bit"):
            arguments.append("--four-bit")
        for stage in stages:
            arguments += ["--adapter", f"{stage['name']}={stage['out']}"]
        return arguments


def own_recipe(recipe: Recipe) -> Recipe:
    """The recipe of the pass over one speaker's own turns, as `train.training` makes it."""
    return {
        **recipe,
        "num_epochs": OWN_EPOCHS,
        "gradient_accumulation_steps": OWN_ACCUMULATION,
        "learning_rate": OWN_RATE * float(recipe["learning_rate"]),
    }


def from_hub(recipe: Recipe) -> bool:
    """Whether the recipe's base is a name on Hugging Face, and no folder here."""
    name = recipe["base_model"]
    return bool(_HUB_NAME.fullmatch(name)) and not Path(name).exists()


def on_cpu(recipe: Recipe) -> bool:
    """Whether the recipe trains on a processor."""
    return ON_THE_CPU in (recipe.get("plugins") or [])


def _redaction(card: Path) -> tuple[bool | None, int]:
    """Whether a set was redacted, and how many times; (None, 0) where there is no card.

    A redacted set's card names the key that its placeholders were made with.
    """
    try:
        said = msgspec.json.decode(card.read_bytes(), type=_Card)
    except FileNotFoundError:
        return None, 0
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{card}: {error}.", "Make the set again: greenroom dataset --force") from error
    return said.options.redact and said.made_from.redaction_key is not None, sum(said.redacted.values())


def _adapter_files(folder: Path) -> list[Path]:
    files = [folder / "adapter_config.json", folder / "adapter_model.safetensors"]
    for file in files:
        if not file.is_file():
            raise UserError(f"{folder} is no adapter: there is no {file.name} in it.", "Name a PEFT adapter's folder.")
    return files


def _axolotl_version() -> str:
    """The axolotl that Greenroom's training extra pins."""
    for requirement in importlib.metadata.requires("greenroom") or []:
        found = re.match(r"axolotl==([\w.]+)", requirement)
        if found:
            return found[1]
    return ""


def _module_file(name: str) -> Path | None:
    """The file of a module of ours, or None if it is somebody else's."""
    path = ROOT.joinpath(*name.split("."))
    for place in (path.with_suffix(".py"), path / "__init__.py"):
        if name.split(".")[0] in ("train", "persona") and place.is_file():
            return place
    return None


def _closure(modules: Iterable[Path]) -> set[Path]:
    """`modules`, the modules of ours that they import, directly or not, and the packages these lie in."""
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        waiting += filter(None, map(_module_file, _imports(module)))
        package = module.parent
        while package != ROOT:
            if (package / "__init__.py").is_file():
                waiting.append(package / "__init__.py")
            package = package.parent
    return found


def _imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _keep(manifest: bytes, records: Path) -> str:
    """Keep a manifest under its hash, which is the bundle's id."""
    identity = hashlib.sha256(manifest).hexdigest()
    place = make_private_dir(records) / f"{identity}.json"
    place.write_bytes(manifest)
    place.chmod(PRIVATE_FILE_MODE)
    return identity
