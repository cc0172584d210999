"""Bayesian networks: whether averaging over weights protects against adversarial inputs.

Paper 5, Feng, Rudner, Tsilivis, Kempe, "Attacking Bayes: On the Adversarial Robustness of Bayesian
Neural Networks", TMLR 2024, arXiv:2404.19640. Its body was not at hand: what the room says of it is
"as reported", and all that is computed is derived here.

Importing this package needs nothing: torch comes with the modules. Its doors: `models` (networks
as functions of their weights, priors, the joint density) and `modules` (any module of torch as
such a network), `samplers` (Hamiltonian Monte Carlo, Langevin dynamics), `diagnostics` (have the
chains mixed), `approximations` (cheaper posteriors), `predict` (the posterior predictive),
`uncertainty` (what it does not know, and scores), `attacks` and `evaluate` (what an adversary
leaves of it, and whether to believe that), `pitfalls` (how to be fooled), `theory` (closed forms,
without torch), `methods` (seven posteriors of one problem), `experiments` and `claims`.
"""
