"""Dataset distillation: a few made-up examples that train a network like the whole data set.

Paper 6, Feng, Vedantam, Kempe, "Embarrassingly Simple Dataset Distillation", ICLR 2024,
arXiv:2311.07025. Its body was not at hand: what the room says of it is "as reported", and all that
is computed is derived here. Importing this package needs nothing: torch comes with the modules.
"""
