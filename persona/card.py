"""The persona card: one folder a persona, described by its `persona.toml`.

    data/personas/milo/
        persona.toml    this card
        adapter/        the LoRA adapter as PEFT saves it
        versions/2/     or, for a persona that was trained more than once, a folder for each version: its own card
            persona.toml    and adapter. The card above says which one is served (`version = 2`)
            adapter/

The id is the folder's name and the OpenAI `model`. A card names no path outside its folder, so that a persona can
be moved, zipped and given away. An adapter that may be being served is never written to again: a new one is a new
version, in a folder of its own, since engines map its file and name what they cache by its path.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from persona.errors import UserError
from persona.names import clean_name
from persona.paths import PRIVATE_FILE_MODE, make_private_dir

CARD_NAME = "persona.toml"
ADAPTER_DIR = "adapter"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
VERSIONS_DIR = "versions"

# What the OpenAI `model` may look like: words of any script with - _ . between; never a path.
_ID = re.compile(r"[^\W_][\w.-]{0,79}")


class Sampling(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Sampling defaults, sent where a request leaves the parameter out. `None` leaves it to the engine."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = None

    def given(self) -> dict[str, float | int]:
        """The parameters that are set, by their OpenAI or vLLM names."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


class Context(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """That a persona was trained with context turns (`persona.context`), so that requests begin with one too.

    Attributes:
        platform: where most of the sessions it was trained on were, as the store names it ("telegram"); empty leaves
            the platform out of the turn.
    """

    platform: str = ""


class Card(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What `persona.toml` says.

    Attributes:
        speaker: the name the person goes by in training data and prompts.
        base: the name of the base model that the adapter was trained on.
        about: one line for people who choose whom to talk to.
        owner: whose history it is.
        interlocutor: who the persona talks to when a request does not say; the owner, unless the persona is the
            owner.
        context: there if it was trained with context turns (`greenroom dataset --context`).
        sampling: defaults for requests.
        made_by: where the adapter came from (recipe, dataset hash, held-out loss, …), for people to read.
        version: which of `versions/` is served; 0 for the adapter beside the card.
    """

    speaker: str
    base: str
    about: str = ""
    owner: str = ""
    interlocutor: str = ""
    context: Context | None = None
    sampling: Sampling = msgspec.field(default_factory=Sampling)
    made_by: dict[str, str | int | float] = msgspec.field(default_factory=dict)
    version: int = 0


class Persona(msgspec.Struct, frozen=True):
    """A card in its folder.

    Attributes:
        id: the folder's name and the OpenAI `model`.
        folder: where it lies.
        card: what its `persona.toml` says.
    """

    id: str
    folder: Path
    card: Card

    @property
    def speaker(self) -> str:
        """The speaker's name, clean enough for a prompt."""
        return clean_name(self.card.speaker)

    @property
    def interlocutor(self) -> str:
        """Who it talks to when nobody says: never itself, never empty."""
        for name in (self.card.interlocutor, self.card.owner):
            cleaned = clean_name(name)
            if cleaned and cleaned != self.speaker:
                return cleaned
        return "Friend"

    @property
    def adapter(self) -> Path | None:
        """The PEFT adapter's folder, or None for a persona that is the base model with a name."""
        folder = self.version_folder / ADAPTER_DIR
        return folder if (folder / ADAPTER_WEIGHTS).is_file() else None

    @property
    def version_folder(self) -> Path:
        """The folder of the version that is served."""
        version = self.card.version
        return self.folder / VERSIONS_DIR / str(version) if version else self.folder


def load_persona(folder: Path) -> Persona:
    """Read one persona.

    Raises:
        UserError: no card, a card that does not say what it must, an id that cannot be a model name, or an
            adapter folder with no weights in it.
    """
    path = folder / CARD_NAME
    if not _ID.fullmatch(folder.name):
        raise UserError(
            f"{folder}: {folder.name!r} cannot be a persona's id.", "Rename the folder: letters, digits, - _ ."
        )
    try:
        card = msgspec.toml.decode(path.read_bytes(), type=Card)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.") from error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}.", "Mend the card or remove the folder.") from error
    if not clean_name(card.speaker):
        raise UserError(f"{path}: `speaker` has no readable name.", "Write the name used in the training data.")
    persona = Persona(folder.name, folder, card)
    where = persona.version_folder
    if card.version < 0 or not where.is_dir():
        raise UserError(f"{path}: there is no version {card.version}.", "Write one that is in versions/.")
    if (where / ADAPTER_DIR).is_dir() and persona.adapter is None:
        raise UserError(f"{where / ADAPTER_DIR}: no {ADAPTER_WEIGHTS} in it.", "Add the persona again.")
    return persona


def load_personas(folder: Path) -> tuple[list[Persona], list[UserError]]:
    """Every persona under `folder` by id, and what is wrong with each folder that is not one.

    A folder without a card is no persona and is passed over; a missing `folder` holds none.
    """
    personas: list[Persona] = []
    broken: list[UserError] = []
    for card in sorted(folder.glob(f"*/{CARD_NAME}")):
        try:
            personas.append(load_persona(card.parent))
        except UserError as error:
            broken.append(error)
    return personas, broken


def write_card(folder: Path, card: Card) -> Persona:
    """Write `card` into `folder` (made if need be), readable by its owner alone, and return the persona.

    A card that is there is replaced at once: who reads it meets the old one or the new one.
    """
    import tomli_w  # late: reading cards inside vLLM's environment needs no writer

    make_private_dir(folder)
    path = folder / CARD_NAME
    unfinished = folder / f".{CARD_NAME}.new"
    unfinished.write_bytes(tomli_w.dumps(msgspec.to_builtins(card)).encode())
    unfinished.chmod(PRIVATE_FILE_MODE)
    unfinished.replace(path)
    return load_persona(folder)
