"""llama.cpp's own server in a process of its own, on a socket file; started by `server.engines.llamacpp_server`.

    python -P llamacpp_process.py < CONFIG        CONFIG is one line of JSON, see `made`

Loading a model holds Python's lock for seconds, and what goes wrong in llama.cpp ends the process that it is in: in
this one neither stops a reply of another server, nor the endpoint. It says `ready` or `failed` on its standard output
and lives until its standard input ends, which it does however the endpoint goes away.

Run as a file and not as a module: it needs nothing but xllamacpp, and starts in half the time without the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from typing import Any


def made(config: dict[str, Any]) -> Any:
    """An `xllamacpp.Server` by `config`, whose keys `server.engines.llamacpp_server.config` explains.

    Raises:
        RuntimeError: llama.cpp cannot load the model or one of the adapters.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = config["model"]
    params.model_alias = {config["alias"]}
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in config["loras"]]
    # A request that names no adapter gets all of them by these weights: none.
    params.lora_init_without_apply = True
    params.chat_template = config["template"]
    # The reply is text: no search for tool calls or reasoning in it.
    params.force_pure_content_parser = True
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    params.n_ctx, params.n_parallel, params.kv_unified = config["context"], config["slots"], True
    # llama.cpp finds a prompt that it put aside by its tokens alone, whatever adapter it was read with: another
    # persona's memory of the same words. (What stays in a slot is dropped when the adapter changes.)
    params.cache_ram_mib = 0
    params.warmup = False
    params.verbosity = 0
    if config["threads"]:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config["threads"]
    # The listener cannot be turned off, so it is what is used: a socket file in a folder that only this user can
    # enter, behind a key.
    params.hostnames = [config["socket"]]
    params.n_threads_http = config["connections"]
    params.api_keys = [config["key"]]
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.offline = True
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until standard input ends."""
    # Ctrl+C and a service's stop reach every process of the group: replies under way end first, and then the pipe.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)  # what llama.cpp prints is no answer
    config = json.loads(sys.stdin.readline())
    try:
        server = made(config)
    except RuntimeError:
        os.write(answers, b"failed\n")
        os._exit(1)
    os.write(answers, b"ready\n")
    while os.read(0, 4096):
        pass
    shutil.rmtree(os.path.dirname(config["socket"]), ignore_errors=True)
    del server
    os._exit(0)


if __name__ == "__main__":
    main()
