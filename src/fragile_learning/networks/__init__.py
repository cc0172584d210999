"""Networks that several rooms train, in modules that need torch.

`models` and `training` are two-layer networks, `gpt` is a small causal transformer,
`threads` keeps torch to one thread. Importing this package needs nothing: torch comes with the
modules.
"""
