"""The endpoint's speed: a persona against its base, and the endpoint against the bare engine, in one run.

    python benchmarks/serve.py [--tokens 128] [--rounds 5] [--threads 0]
    python benchmarks/serve.py --memory          # of fifty personas, by how many adapters are loaded

Everything runs on this machine: llama.cpp, the default base model, the first persona of the sample cast. Rounds
alternate, so that a machine that slows down slows everything; the medians are printed with their ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from persona.bases import DEFAULT, gguf_path  # noqa: E402
from persona.card import Card, Persona, load_personas, write_card  # noqa: E402
from persona.gguf_lora import cached_gguf  # noqa: E402
from persona.paths import adapter_cache_dir, data_dir  # noqa: E402
from server.engines.llamacpp_process import made  # noqa: E402
from server.engines.llamacpp_server import Shape, config  # noqa: E402
from tests.endpoints import start_endpoint  # noqa: E402

QUESTION = "hey, what's up? tell me about your week"


def has_text(chunk: bytes) -> bool:
    """Whether a chunk of a streamed reply carries text, and is not a role, a usage or the end."""
    return chunk.startswith(b"{") and bool(json.loads(chunk)["choices"][0]["delta"].get("content"))


def over_http(url: str, model: str, tokens: int) -> tuple[float, float]:
    """Seconds to the first token and tokens a second after it, of a streamed reply through the endpoint."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
        "temperature": 0.8,
        "seed": 1,
    }
    started = time.perf_counter()
    with httpx.stream("POST", f"{url}/chat/completions", json=body, timeout=300) as response:
        stamps = [time.perf_counter() for line in response.iter_lines() if has_text(line[6:].encode())]
    return stamps[0] - started, (len(stamps) - 1) / (stamps[-1] - stamps[0])


def bare(server: Any, persona: Persona, tokens: int) -> tuple[float, float]:
    """The same from llama.cpp's own server object, called in this process: the floor."""
    body = {
        "messages": [{"role": persona.interlocutor, "content": QUESTION}],
        "chat_template_kwargs": {"speaker": persona.speaker},
        "lora": [{"id": 0, "scale": 1.0}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
        "temperature": 0.8,
        "seed": 1,
    }
    stamps: list[float] = []

    def arrived(chunk: bytes) -> bool:
        if has_text(chunk):
            stamps.append(time.perf_counter())
        return False

    started = time.perf_counter()
    server.handle_chat_completions(json.dumps(body).encode(), arrived)
    return stamps[0] - started, (len(stamps) - 1) / (stamps[-1] - stamps[0])


def memory(persona: Persona, data: Path) -> None:
    """Print what the endpoint's processes have resident with fifty personas, after each has been asked once."""
    for max_loaded in (1, 4, 50):
        with tempfile.TemporaryDirectory() as folder:
            for number in range(50):
                shutil.copytree(persona.folder, Path(folder) / f"p{number}")
                with (Path(folder) / f"p{number}" / "adapter" / "adapter_config.json").open("a") as config_file:
                    config_file.write("\n" * number)  # the same adapter, and another file by its hash
            arguments = ("--personas", folder, "--data", str(data), "--max-loaded", str(max_loaded), "--threads", "1")
            process, url = start_endpoint("--engine", "llamacpp", *arguments)
            try:
                for number in range(0, 50, 10):
                    over_http(url, f"p{number}", 4)
                server = psutil.Process(process.pid)
                resident = [one.memory_info().rss / 1e6 for one in (server, *server.children())]
                print(
                    f"50 personas, --max-loaded {max_loaded:2}: "
                    f"{resident[0]:.0f} MB endpoint + {sum(resident[1:]):.0f} MB llama.cpp"
                )
            finally:
                process.terminate()
                process.wait()


def main() -> None:
    """Run the rounds and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="for llama.cpp; 0 takes all cores")
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    persona = load_personas(ROOT / "samples" / "personas")[0][0]
    data = data_dir().resolve()
    if arguments.memory:
        memory(persona, data)
        return
    with tempfile.TemporaryDirectory() as folder:
        cast = Path(folder)
        shutil.copytree(persona.folder, cast / persona.id)
        write_card(cast / "base", Card(speaker=persona.speaker, base=DEFAULT, owner=persona.card.owner))
        model = gguf_path(DEFAULT, data)
        assert persona.adapter is not None
        lora = cached_gguf(persona.adapter, model, adapter_cache_dir(data))
        shape = Shape(context=8192, slots=4, threads=arguments.threads or len(os.sched_getaffinity(0)))
        server = made(config(model, (lora,), shape, Path(folder)))
        process, url = start_endpoint("--threads", str(arguments.threads), "--personas", folder, "--data", str(data))
        rates: dict[str, list[float]] = {"base": [], "persona": [], "bare persona": []}
        first: dict[str, list[float]] = {name: [] for name in rates}
        try:
            for _ in range(arguments.rounds + 1):
                for name, (wait, rate) in (
                    ("base", over_http(url, "base", arguments.tokens)),
                    ("persona", over_http(url, persona.id, arguments.tokens)),
                    ("bare persona", bare(server, persona, arguments.tokens)),
                ):
                    first[name].append(wait)
                    rates[name].append(rate)
        finally:
            process.terminate()
            process.wait()
    # The first round fills caches and is not counted.
    medians = {name: statistics.median(values[1:]) for name, values in rates.items()}
    for name, rate in medians.items():
        wait = statistics.median(first[name][1:]) * 1000
        print(f"{name:13} {rate:7.1f} tokens/s   first token after {wait:6.1f} ms")
    print(f"persona / base          {medians['persona'] / medians['base']:.2f}")
    print(f"endpoint / bare engine  {medians['persona'] / medians['bare persona']:.2f}")


if __name__ == "__main__":
    main()
