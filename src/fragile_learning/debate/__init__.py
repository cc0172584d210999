"""The debate: what becomes of a model when data are replaced, accumulated, sampled or mixed.

Not a paper of its own. The room derives the workflows that the literature compares (and whose
outcome depends on what happens to the real data), simulates each, and says what follows.

Importing this package needs numpy and scipy alone. Its doors: `theory` (exact laws and limits),
`simulation` (the same loops by drawing data), `experiments`, `curves`, `figures`, `claims`, and
`decisions` (what to do, each piece of advice with the claims it rests on).
"""

from __future__ import annotations
