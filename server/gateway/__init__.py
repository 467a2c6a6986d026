"""LiteLLM's proxy in front of running endpoints, for several machines and hosted models beside the personas."""
