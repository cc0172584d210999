"""Bayesian networks: whether averaging over weights protects against adversarial inputs.

Paper 5, Feng, Rudner, Tsilivis, Kempe, "Attacking Bayes: On the Adversarial Robustness of Bayesian
Neural Networks", TMLR 2024, arXiv:2404.19640. Its body was not at hand: what the room says of it is
"as reported", and all that is computed is derived here.

Importing this package needs nothing: torch comes with the modules. Its doors: `models` (networks
as functions of their weights, priors, the joint density), `samplers` (Hamiltonian Monte Carlo,
Langevin dynamics), `diagnostics` (have the chains mixed), `approximations` (cheaper posteriors),
`predict` (the posterior predictive), `uncertainty` (what it does not know, and scores).
"""
