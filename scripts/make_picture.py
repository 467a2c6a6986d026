"""Draw the client's picture for the README: the real client, talking with the real sample cast.

    python scripts/make_picture.py [docs/client.svg]

Starts the endpoint, drives the client without a screen, and saves what it shows as SVG.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.endpoints import SAMPLE_CAST, start_endpoint  # noqa: E402
from tui.app import GreenroomApp  # noqa: E402
from tui.history import History  # noqa: E402
from tui.settings import Settings  # noqa: E402

TALKS = {
    "beatrix": ["Good morning, has the Alderman been back??"],
    "lev": ["Is Жучка running today??"],
    "pip": ["Did you find your shoe??"],
    "milo": ["Hey, what are you doing??", "Green or blue for the boat??"],
}
SIZE = (100, 30)


async def draw(url: str, folder: Path) -> str:
    """Talk with each of the cast as their friend Juno would; the last screen as SVG."""
    history = History(folder / "history.db")
    app = GreenroomApp(Settings(url, None, "", folder / "history.db"), history)
    async with app.run_test(size=SIZE) as pilot:
        while not app.messenger.chats:
            await pilot.pause(0.1)
        for persona, lines in TALKS.items():
            (chat,) = [chat for chat in app.messenger.chats if chat.persona.id == persona]
            await app.messenger.open_chat(chat)
            for line in lines:
                app.messenger.composer.put(line)
                await pilot.press("enter")
                await pilot.pause(0.3)
                while chat.reply is not None:
                    await pilot.pause(0.1)
        await pilot.pause(0.5)
        picture = app.export_screenshot(title="greenroom chat")
    # Rich names a font on somebody's server; whoever looks at the picture shall not have to ask there.
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def main() -> None:
    """Write the picture to the path given, or to docs/client.svg."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "client.svg"
    process, url = start_endpoint("--personas", str(SAMPLE_CAST))
    try:
        with tempfile.TemporaryDirectory() as folder:
            out.write_text(asyncio.run(draw(url, Path(folder))), "utf-8")
    finally:
        process.terminate()
        process.wait()
    print(f"{out} is drawn.")


if __name__ == "__main__":
    main()
