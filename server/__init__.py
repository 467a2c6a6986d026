"""The endpoint: the persona layer, and the engines under it."""
