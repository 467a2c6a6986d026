"""`greenroom serve`: the endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scripts.options import DEFAULT_HOST, DEFAULT_PORT, Data

if TYPE_CHECKING:
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
    attached: Annotated[
        bool, typer.Option("--attached", hidden=True, help="Stop when standard input is closed.")
    ] = False,
) -> None:
    """Serve every persona behind one OpenAI-compatible endpoint.

    It listens on this machine alone, needs no key and sends nothing anywhere. Stop it with Ctrl+C.
    """
    import logging

    from persona.errors import UserError
    from persona.paths import data_dir, personas_dir
    from server.listen import bind, run
    from server.roster import Roster

    logging.basicConfig(format="greenroom: %(message)s", level=logging.WARNING)
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise UserError(
            f"--host {host} would let other machines in, and there are no keys yet.",
            "Serve on 127.0.0.1 and reach it through an SSH tunnel: ssh -L 8844:127.0.0.1:8844 THIS-MACHINE",
        )
    folder = data_dir(data)
    folders = personas or [personas_dir(folder)]
    roster = Roster(folders)
    if engine == "vllm" or (engine == "auto" and _has_vllm_and_gpu()):
        _serve_vllm(roster, folders, folder, host, port, context, slots)
        return

    from server.engines.llamacpp import LlamaCpp
    from server.layer import PersonaLayer

    bound = bind(host, port)
    if attached:
        _stop_with_whoever_started_us()
    llamacpp = LlamaCpp(roster.personas.values(), folder, context=context, slots=slots, threads=threads)

    roster.switch(roster.personas, roster.broken | llamacpp.broken)
    if not roster.personas:
        raise next(iter(llamacpp.broken.values()))

    def ready() -> None:
        url = f"http://{host}:{bound.getsockname()[1]}/v1"
        names = ", ".join(roster.personas)
        print(f"Greenroom is ready at {url} with {names}.", flush=True)

    try:
        run(PersonaLayer(llamacpp, roster, engine=llamacpp), bound, ready)
    finally:
        llamacpp.close()


def _serve_vllm(
    roster: Roster, folders: list[Path], data: Path, host: str, port: int, context: int, slots: int
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
    os.execve(command[0], command, vllm.environment(folders, data))


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
