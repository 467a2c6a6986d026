"""Greenroom's terminal client: a messenger for personas behind an OpenAI-compatible endpoint.

It knows HTTP and nothing else of Greenroom, so it talks to any OpenAI server. `tui.inline` answers one
message on standard output and never loads Textual; `tui.app` is the full-screen messenger.

    greenroom chat                      open the messenger
    greenroom chat milo "hey"           one message, one reply, no screen
"""
