"""`greenroom gateway`: LiteLLM in front of running endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import DEFAULT_HOST, DEFAULT_PORT, Data

GATEWAY_PORT = 8845


def gateway(
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            help="Address of a running endpoint; several times for several machines.",
            show_default=f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/v1",
        ),
    ] = None,
    endpoint_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIABLE",
            help="Environment variable with an endpoint's key: once for all, or once for each --endpoint, in order.",
            show_default="GREENROOM_API_KEY, if it is set",
        ),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER/MODEL", help="Hosted model beside the personas; what it is told leaves here."),
    ] = None,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the configuration, and leave.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Start from a configuration as it is.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = DEFAULT_HOST,
    port: Annotated[int, typer.Option(help="0 takes any free one.", min=0, max=65535)] = GATEWAY_PORT,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="PostgreSQL for LiteLLM's keys and budgets. Untested here.")
    ] = None,
    data: Data = None,
) -> None:
    """Put LiteLLM in front of running endpoints: several machines, and hosted models beside the personas.

    It listens on this machine alone and always needs its master key (LITELLM_MASTER_KEY; made and shown if there is
    none). Nothing is sent anywhere but to the endpoints, and to what --add names.
    """
    import os
    import sys

    from persona.errors import UserError
    from persona.paths import data_dir
    from server.gateway import configuration, process
    from server.gateway.endpoints import endpoints, served
    from server.listen import bind

    if config is not None and (endpoint or endpoint_key or add or write):
        raise UserError(
            "--config starts from its file as it is.", "Leave --endpoint, --endpoint-key, --add and --write out."
        )
    if config is None:
        keys = endpoint_key or (["GREENROOM_API_KEY"] if os.environ.get("GREENROOM_API_KEY") else [])
        models = configuration.entries(
            served(endpoints(endpoint or [f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/v1"], keys)), add or []
        )
        text = configuration.configuration(models, database=database is not None)
    if write is not None:
        configuration.write(text, write)
        for model in configuration.hosted({"model_list": models}):
            print(f"What is written to {model} leaves this machine.")
        print(f"{write} has {len(models)} entries. Start it: greenroom gateway --config {write}")
        return
    python = process.find_python()
    if database is not None:
        process.check_database(python)
    bound = bind(host, port)  # a busy port is found now and not after LiteLLM is loaded
    port = bound.getsockname()[1]
    bound.close()
    if config is None:
        config = data_dir(data) / "cache" / "gateway.yaml"
        configuration.write(text, config, replace=True)
    own = {configuration.MASTER_KEY, "DATABASE_URL"}
    ready = configuration.read(config, database=database is not None)
    missing = sorted(configuration.variables(ready) - own - os.environ.keys())
    if missing:
        raise UserError(f"{config} needs {', '.join(missing)}, not set here.", f"export {missing[0]}=…")
    for model in configuration.hosted(ready):
        print(f"What is written to {model} leaves this machine.")
    key = os.environ.get(configuration.MASTER_KEY)
    if not key:
        key = process.new_master_key()
        print(f"{key}\nThe master key, shown this once; keep it in {configuration.MASTER_KEY} for the next start.")
    process.check_master_key(key)
    if database is None:
        print("No database: the master key is the only key, for everybody. Share it with whom you trust.")
    else:
        print("LiteLLM with a database is untested here.", file=sys.stderr)
    print(f"Starting LiteLLM; ready at http://{host}:{port}/v1 when /health/liveliness answers.", flush=True)
    started = process.command(python, config, host=host, port=port)
    os.execve(started[0], started, process.environment(key, database))
