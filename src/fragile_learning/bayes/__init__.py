"""Bayes: what posterior samples do against attacks, and what a test of that must not miss."""
