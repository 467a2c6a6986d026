"""The engines under the persona layer.

An engine is something that answers OpenAI chat requests whose messages carry speakers' names as roles, whose
`chat_template_kwargs` say whose reply to open, and whose `model` is a persona's id. `llamacpp` runs in this process
as an ASGI app; `vllm` replaces this process with vLLM's own server, the layer inside it.
"""
