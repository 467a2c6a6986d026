"""`greenroom audit`: does a persona keep what it was taught, and give it away?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.options import Data

if TYPE_CHECKING:
    from rich.console import Console

    from persona.audit import Audit
    from persona.card import Persona
    from train.evaluation.audit import Evidence, Findings

FOLDER = "evaluation"


def audit(
    persona: Annotated[list[str] | None, typer.Argument(help="Whom; everybody without.", show_default=False)] = None,
    personas: Annotated[Path | None, typer.Option(help="Folder of personas.", show_default="those of --data")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="The set they were trained on.", show_default="DATA/dataset")
    ] = None,
    any_set: Annotated[
        bool, typer.Option("--any-set", help="Compare with --dataset even if they were trained on another.")
    ] = False,
    replies: Annotated[int, typer.Option("--replies", "-n", help="Replies to look at.", min=4)] = 1000,
    candidates: Annotated[
        int, typer.Option(help="Other secrets that each canary is compared with.", min=15, max=100_000)
    ] = 1023,
    url: Annotated[
        str | None, typer.Option(help="An endpoint that serves them; without, one is started.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    index_only: Annotated[
        bool, typer.Option("--index-only", help="Write the index that `greenroom serve --guard` reads, and ask nobody.")
    ] = False,
    data: Data = None,
) -> None:
    """Look for the training set in what personas say; write audit.json and the guard's index beside each adapter.

    Exit code 1 when one of them does not pass.
    """
    from rich.console import Console

    from persona.paths import data_dir, personas_dir
    from scripts.endpoint import endpoint
    from train.dataset import FOLDER as SETS
    from train.dataset.canaries import read_canaries
    from train.evaluation.audit import audit_of, findings, turns_of, write_audit
    from train.evaluation.phrases import PhraseHashes
    from train.runs import set_sha256
    from train.training import read_set

    folder = data_dir(data)
    cast = personas or personas_dir(folder)
    sets = dataset or folder / SETS
    train = read_set(sets / "train.jsonl")
    sha256 = set_sha256(sets)
    chosen = chosen_personas(cast, persona, {turn["from"] for one in train for turn in one if turn["train"]})
    for one in chosen:
        _check_set(one, sha256, any_set)
    console = Console()
    hashes = PhraseHashes(turns_of(train))
    for one in chosen:
        path = hashes.write(one, sha256)
        console.print(f"{one.speaker}: the index of the set is in {path}", markup=False, soft_wrap=True)
    if index_only:
        return
    # Empty where nothing is held out, which is no fault of a set.
    unseen = sets / "eval.jsonl"
    held_out = [] if unseen.is_file() and not unseen.stat().st_size else read_set(unseen)
    canaries = read_canaries(sets)
    failed = False
    started = nullcontext(url) if url else endpoint([cast], folder)
    with started as at:
        for one in chosen:
            own = [canary for canary in canaries if canary.speaker == one.speaker]
            evidence = _evidence(console, one, folder, sets, (train, held_out), own, at, replies, candidates, seed)
            found = findings(evidence)
            card = audit_of(one, found, replies=len(evidence.replies), seed=seed, dataset_sha256=sha256)
            path = write_audit(one, card)
            _print(console, card, found, path)
            failed = failed or not card.passed
    if failed:
        raise typer.Exit(1)


def chosen_personas(cast: Path, wanted: list[str] | None, trained: set[str]) -> list[Persona]:
    """The personas that are `wanted`, or all whose speaker is trained in the set.

    Raises:
        UserError: there is none, or one is not trained in it.
    """
    from persona.card import load_persona, load_personas
    from persona.errors import UserError

    if wanted:
        chosen = [load_persona(cast / name) for name in wanted]
    else:
        chosen = [one for one in load_personas(cast)[0] if one.speaker in trained]
    if not chosen:
        raise UserError(f"nobody in {cast} is trained in the set.", "Choose another with --personas or --dataset.")
    for one in chosen:
        if one.speaker not in trained:
            raise UserError(f"{one.speaker!r} is not trained in the set.", "Name the set of theirs with --dataset.")
    return chosen


def _check_set(persona: Persona, sha256: str, any_set: bool) -> None:
    from persona.errors import UserError

    trained_on = persona.card.made_by.get("dataset_sha256")
    if trained_on is not None and trained_on != sha256 and not any_set:
        raise UserError(
            f"{persona.id} was trained on another set than this one.",
            "Name that one with --dataset, or compare all the same with --any-set.",
        )


def _evidence(
    console: Console,
    persona: Persona,
    data: Path,
    sets: Path,
    conversations: tuple[Any, Any],
    canaries: list[Any],
    url: str,
    count: int,
    candidates: int,
    seed: int,
) -> Evidence:
    import math

    from persona.bases import weights_path
    from persona.errors import UserError
    from train.evaluation.audit import Evidence, questions, turns_of, values_of
    from train.evaluation.exposure import exposures
    from train.evaluation.replies import asked

    train, held_out = conversations
    wanted = questions(train, held_out, persona.speaker, canaries, count, seed)
    file = data / FOLDER / f"{persona.id}-{persona.card.version}" / "audit-replies.jsonl"
    with progress(console, f"asking {persona.id}") as told:
        replies = asked(persona, wanted, url, file, told=told)
    evidence = Evidence(turns_of(train), values_of(held_out, persona.speaker), replies, canaries)
    if canaries:
        try:
            base = weights_path(persona.card.base, data)
            evidence.exposures = exposures(persona, base, canaries, count=candidates, seed=seed)
            evidence.most_bits = math.log2(candidates + 1)
        except UserError as error:
            console.print(f"Note: exposure is not measured: {error}", markup=False, soft_wrap=True)
    texts = [reply.text for reply in replies]
    _look_for_originals(data, sets, train, texts, evidence)
    return evidence


def _look_for_originals(data: Path, sets: Path, train: Any, texts: list[str], evidence: Evidence) -> None:
    import json

    from train.dataset.options import CARD_NAME
    from train.evaluation.originals import names_in, originals_in
    from train.redaction import FILE_NAME, RedactionKey, known_people, open_key
    from train.store import FILE_NAME as DATABASE
    from train.store import open_store

    key = open_key(data) if (data / FILE_NAME).is_file() else None
    if key is not None:
        evidence.originals = originals_in(key, texts, evidence.training)
    if not (data / DATABASE).is_file():
        return
    speakers = {turn["from"] for one in train for turn in one}
    card = sets / CARD_NAME
    redacted = not card.is_file() or json.loads(card.read_bytes())["options"].get("redact", True)
    with open_store(data, create=False) as store:
        everybody = known_people(store.db)
        shown = [one for one in everybody if not one.excluded and speakers & set(one.names)]
        hidden = [one for one in everybody if one.excluded or (redacted and one not in shown)]
        none = RedactionKey(None, b"\0" * 32)
        forgotten = store.forgotten.has_name
        evidence.names = names_in(key or none, hidden, shown, texts, evidence.training, forgotten=forgotten)


@contextmanager
def progress(console: Console, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with the time that is left; on a terminal only."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(what, total=None)

        def told(total: int, count: int) -> None:
            bars.update(task, total=total, advance=count)

        yield told


def _print(console: Console, card: Audit, found: Findings, path: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    verdict = "[green]passed[/]" if card.passed else "[bold red]did not pass[/]"
    console.print(f"{escape(card.speaker)}: {verdict}, {card.replies:,} replies", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "measured", "at most", ""):
        table.add_column(column, justify="right" if column in ("measured", "at most") else "left")
    for check in card.checks:
        mark = "[green]ok[/]" if check.passed else "[bold red]FAIL[/]"
        table.add_row(mark, check.name, f"{check.value:.4g}", f"{check.limit:g}", escape(check.meaning))
    console.print(table)
    if found.worst:
        console.print(escape(f"the longest: {found.worst[:200]!r}"), soft_wrap=True)
    for name, value in card.figures.items():
        console.print(escape(f"{name}: {value:.4g}"), soft_wrap=True)
    notes = list(card.notes)
    if card.trained_on is False:
        notes.append("compared with another set than it was trained on")
    for note in notes:
        console.print(escape(f"Note: {note}"), soft_wrap=True)
    console.print(escape(f"written to {path}"), soft_wrap=True)
