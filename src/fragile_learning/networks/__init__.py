"""Two-layer networks that several rooms train: `models` and `training`, which need torch.

Importing this package needs nothing: torch comes with the two modules.
"""
