"""Nothing leaves the machine: from exports to a reply in a network namespace that has nothing but loopback.

Where the machine cannot make namespaces (no `unshare`, no rights), every connection from Python to another address
is refused instead, which cannot see llama.cpp's own calls.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endpoints import ROOT, SAMPLE_CAST

# Brings up loopback (an ioctl, so that no tool need be installed), proves that nothing else is there, and goes the
# whole way. Run as `python -c JOURNEY data models exports cast guarded`.
JOURNEY = r"""
import fcntl, os, socket, struct, subprocess, sys
from pathlib import Path

data, models, exports, cast, guarded = sys.argv[1:]
if guarded == "no":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14s", b"lo", 0x1 | 0x40, b""))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
    assert [name for _, name in socket.if_nameindex()] == ["lo"], socket.if_nameindex()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError:
    pass
else:
    raise SystemExit("this machine still reaches others: the test would prove nothing")

def greenroom(*arguments):
    done = subprocess.run([sys.executable, "-m", "scripts.cli", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout

Path(data).mkdir(exist_ok=True)
os.symlink(models, Path(data, "models"))
greenroom("import", exports, "--data", data)
greenroom("dataset", "--all", "--min-messages", "500", "--data", data)
assert Path(data, "dataset", "train.jsonl").stat().st_size > 100_000
from tests.endpoints import start_endpoint
process, url = start_endpoint("--engine", "llamacpp", "--personas", cast, "--data", data)
try:
    reply = greenroom("chat", "milo", "hey, what's up?", "--url", url)
    assert reply.strip(), "no reply"
    import openai
    client = openai.OpenAI(base_url=url, api_key="none")
    messages = [{"role": "user", "content": "hey"}]
    assert client.chat.completions.create(model="pip", messages=messages).choices[0].message.content
finally:
    process.terminate()
    process.wait()
print("offline journey done")
"""

# Loaded by every Python process of the journey where there is no namespace.
GUARD = """
import ipaddress, socket
_connect = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
        raise PermissionError(f"a connection to {address} was tried")
    return _connect(self, address)
socket.socket.connect = connect
"""


def _namespaces() -> list[str]:
    """The command that runs another without any network, or nothing where that cannot be had."""
    unshare = shutil.which("unshare")
    for flags in (["-n"], ["-r", "-n"]):
        if unshare and subprocess.run([unshare, *flags, "true"], capture_output=True).returncode == 0:
            return [unshare, *flags]
    return []


@pytest.mark.slow
def test_from_exports_to_a_reply_without_any_network(base_gguf: Path, tmp_path: Path) -> None:
    namespace = _namespaces()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    if not namespace:
        (tmp_path / "sitecustomize.py").write_text(GUARD)
        environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    arguments = [tmp_path / "data", base_gguf.parent, ROOT / "samples" / "exports", SAMPLE_CAST]
    guarded = "no" if namespace else "yes"
    done = subprocess.run(
        [*namespace, sys.executable, "-c", JOURNEY, *map(str, arguments), guarded],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "offline journey done" in done.stdout


@pytest.mark.train
def test_axolotls_telemetry_is_off() -> None:
    from train.environment import training_environ, training_python

    python = training_python()
    code = "from axolotl.telemetry.manager import TelemetryManager as T; print(T.get_instance().enabled)"
    done = subprocess.run([python, "-c", code], env=training_environ(python), capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "False", done.stderr[-2000:]
