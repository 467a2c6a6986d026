"""`greenroom serve`: the endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scripts.options import DEFAULT_HOST, DEFAULT_PORT, Data

if TYPE_CHECKING:
    from server.access import Settings
    from server.keys import Key
    from server.roster import Roster

EngineName = Literal["auto", "llamacpp", "vllm"]


def serve(
    personas: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of personas; may be given several times.", show_default="those of --data"),
    ] = None,
    data: Data = None,
    engine: Annotated[EngineName, typer.Option(help="auto: vLLM on a GPU, else llama.cpp.")] = "auto",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = DEFAULT_HOST,
    port: Annotated[int, typer.Option(help="0 takes any free one.", min=0, max=65535)] = DEFAULT_PORT,
    context: Annotated[int, typer.Option(help="Tokens of conversation, shared by all slots.", min=256)] = 8192,
    slots: Annotated[int, typer.Option(help="Replies written at the same time.", min=1, max=64)] = 4,
    threads: Annotated[int, typer.Option(help="For llama.cpp; 0 takes all cores.", min=0)] = 0,
    max_loaded: Annotated[
        int,
        typer.Option(
            help="Adapters that llama.cpp has in memory, for each base; 0: as many as a gigabyte takes.",
            min=0,
        ),
    ] = 0,
    cors: Annotated[
        list[str] | None, typer.Option(help="Origin whose pages may ask, or *; may be given several times.")
    ] = None,
    require_key: Annotated[
        bool, typer.Option("--require-key", help="Ask this machine for a key too; others always need one.")
    ] = False,
    require_audit: Annotated[
        bool, typer.Option("--require-audit", help="Serve only personas that have passed `greenroom audit`.")
    ] = False,
    guard: Annotated[
        int | None,
        typer.Option(
            metavar="WORDS",
            help="Stop a reply before so many words in a row of the training set; 8 or more.",
            min=8,
            show_default=False,
        ),
    ] = None,
    new_key: Annotated[str | None, typer.Option(metavar="NAME", help="Make a key, print it, and leave.")] = None,
    key_persona: Annotated[
        list[str] | None, typer.Option(help="With --new-key: whom it may talk to; several times for several.")
    ] = None,
    key_per_minute: Annotated[int | None, typer.Option(help="With --new-key: requests in a minute.", min=1)] = None,
    key_at_once: Annotated[int | None, typer.Option(help="With --new-key: requests under way.", min=1)] = None,
    revoke_key: Annotated[str | None, typer.Option(metavar="NAME", help="End a key, and leave.")] = None,
    list_keys: Annotated[bool, typer.Option("--list-keys", help="Show the keys, and leave.")] = False,
    attached: Annotated[
        bool, typer.Option("--attached", hidden=True, help="Stop when standard input is closed.")
    ] = False,
) -> None:
    """Serve every persona behind one OpenAI-compatible endpoint.

    It listens on this machine alone, needs no key and sends nothing anywhere. Stop it with Ctrl+C. Other machines are
    let in with --host, and only with a key (--new-key).
    """
    import logging

    from persona.errors import UserError
    from persona.paths import data_dir, personas_dir
    from server.access import Settings, is_loopback
    from server.keys import keys_path, read_keys
    from server.keys import new_key as make_key
    from server.keys import revoke_key as end_key
    from server.listen import bind, run
    from server.roster import Roster

    logging.basicConfig(format="greenroom: %(message)s", level=logging.WARNING)
    folder = data_dir(data)
    keys = keys_path(folder)
    if new_key is not None:
        key = make_key(keys, new_key, personas=key_persona, per_minute=key_per_minute, at_once=key_at_once)
        print(f"{key}\nIt is shown this once; keep it. A client sends it as its API key (GREENROOM_API_KEY).")
        return
    if revoke_key is not None:
        end_key(keys, revoke_key)
        print(f"The key {revoke_key} is no longer accepted.")
        return
    if list_keys:
        _print_keys(read_keys(keys))
        return
    guarded = require_key or not is_loopback(host)
    if guarded and not read_keys(keys):
        raise UserError(
            f"--host {host} would let other machines in, and there are no keys yet."
            if not require_key
            else "--require-key asks for a key, and there are none yet.",
            "Make one with `greenroom serve --new-key NAME`, or serve on 127.0.0.1 and reach it through an SSH tunnel: "
            "ssh -L 8844:127.0.0.1:8844 THIS-MACHINE",
        )
    access = Settings(
        keys=str(keys.resolve()) if guarded else None, cors=tuple(cors or ()), audited=require_audit, guard=guard or 0
    )
    folders = personas or [personas_dir(folder)]
    roster = Roster(folders, audited=access.audited, guard=access.guard)
    if engine == "vllm" or (engine == "auto" and _has_vllm_and_gpu()):
        _serve_vllm(roster, folders, folder, access, host, port, context, slots)
        return

    from server.engines.llamacpp import LlamaCpp
    from server.layer import PersonaLayer

    bound = bind(host, port)
    if attached:
        _stop_with_whoever_started_us()
    llamacpp = LlamaCpp(
        roster.personas.values(), folder, context=context, slots=slots, threads=threads, max_loaded=max_loaded
    )
    if llamacpp.broken.keys() >= roster.personas.keys():
        # Nobody is left to serve: one reason says it, and a warning for each would say it again.
        raise next(iter(llamacpp.broken.values()))
    roster.switch(roster.personas, roster.broken | llamacpp.broken)

    def ready() -> None:
        url = f"http://{host}:{bound.getsockname()[1]}/v1"
        names = ", ".join(roster.personas)
        print(f"Greenroom is ready at {url} with {names}.", flush=True)

    try:
        run(PersonaLayer(llamacpp, roster, engine=llamacpp, access=access), bound, ready)
    finally:
        llamacpp.close()


def _print_keys(keys: dict[str, Key]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not keys:
        print("No keys. `greenroom serve --new-key NAME` makes one.")
        return
    table = Table("name", "created", "personas", "a minute", "at once")
    for name, key in keys.items():
        personas = "all" if key.personas is None else ", ".join(key.personas)
        table.add_row(name, key.created, personas, str(key.per_minute or "any"), str(key.at_once or "any"))
    Console().print(table)


def _serve_vllm(
    roster: Roster, folders: list[Path], data: Path, access: Settings, host: str, port: int, context: int, slots: int
) -> None:
    """Become vLLM: this process is replaced, so signals and the exit code are its own."""
    import os

    from server.engines import vllm
    from server.listen import bind

    bound = bind(host, port)  # a busy port is found now and not after a minute of loading
    port = bound.getsockname()[1]
    bound.close()
    command = vllm.command(list(roster.personas.values()), data, host=host, port=port, context=context, slots=slots)
    print(f"Starting vLLM; ready at http://{host}:{port}/v1 when it says so (about a minute).", flush=True)
    os.execve(command[0], command, vllm.environment(folders, data, access))


def _stop_with_whoever_started_us() -> None:
    """Stop when standard input ends, which it does however the process at its other end goes away."""
    import os
    import signal
    import threading

    def wait() -> None:
        # The bare descriptor: a thread that waits in sys.stdin holds a lock that Python's own end needs.
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _has_vllm_and_gpu() -> bool:
    from persona.errors import UserError
    from server.engines.vllm import find_python

    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd")):
        return False
    try:
        find_python()
    except UserError:
        return False
    return True
