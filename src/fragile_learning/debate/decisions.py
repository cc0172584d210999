"""What to do, and which claims each piece of advice rests on.

The verdict beside an advice is looked up in the ledger: advice whose claims turn out otherwise
says so by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from fragile_learning.claims import LedgerEntry

__all__ = ["DECISIONS", "Decision", "decision_table"]


@dataclass(frozen=True)
class Decision:
    """One row of the decision table.

    Attributes
    ----------
    question : str
        What to ask about one's own pipeline.
    answer : str
        The case.
    advice : str
        What to do then.
    claims : tuple of str
        Ids of the claims that it rests on.

    Examples
    --------
    >>> DECISIONS[0].question, DECISIONS[0].claims
    ('Can you keep the real data?', ('DEB-1', 'DEB-9', 'REG-1'))
    """

    question: str
    answer: str
    advice: str
    claims: tuple[str, ...]


_KEEP = "Can you keep the real data?"
_LABEL = "Can you tell real from synthetic?"
_VERIFY = "Do you have a verifier?"

DECISIONS: tuple[Decision, ...] = (
    Decision(
        _KEEP,
        "no, each generation sees the last one's data",
        "Expect one more fit's worth of error in each generation, and the variance to vanish. "
        "Keep the number of generations small.",
        ("DEB-1", "DEB-9", "REG-1"),
    ),
    Decision(
        _KEEP,
        "yes, all of it and all that was made since",
        r"Train on everything: in a linear model the error stays below $\pi^2/6$ fits' worth. If "
        "that is too much to train on, a random part of all with many samples per feature costs "
        "less than twice that.",
        ("DEB-2", "DEB-3", "DEB-4", "DEB-12"),
    ),
    Decision(
        _KEEP,
        "yes, and fresh real data keep coming",
        "The best case. Synthetic data that are off by chance alone then lower the error; weight "
        "them.",
        ("DEB-6", "DEB-7", "STR-13", "TAL-15"),
    ),
    Decision(
        _KEEP,
        "the first data only",
        "They bound the error, but more synthetic data on top do not help: they add noise of "
        "their own.",
        ("DEB-5", "STR-14"),
    ),
    Decision(
        _LABEL,
        "yes",
        "Weight the loss. With $k$ real samples for each synthetic one the real ones get the share "
        r"$(\sqrt{k^2+4k}-k)/2$ if the synthetic ones are off by chance alone. The more they are "
        "biased, the less they get, and nothing in the limit of many real samples.",
        ("DEB-7", "DEB-8", "STR-11"),
    ),
    Decision(
        _LABEL,
        "no",
        "A fixed share of biased data puts a floor under the error, however small the share. Do "
        "not hope to outgrow it.",
        ("STR-6", "STR-19", "STR-20"),
    ),
    Decision(
        _VERIFY,
        "yes, and you know its two keep rates",
        r"A student can learn if of $N$ examples the share $A$ that is kept and right exceeds the "
        r"share $B$ that is kept and wrong; they are worth up to $N(A-B)^2/(A+B)$ clean ones. "
        "Compare by that number, not by the breakdown point: verifiers with each other, and with "
        "none.",
        ("VER-1", "VER-3", "VER-8", "VER-15"),
    ),
    Decision(
        _VERIFY,
        "yes, but it errs where the generator errs",
        "Do not trust the rates: a student can be worse than its generator, and rounds with one "
        "linear verifier end at the verifier.",
        ("VER-10", "VER-11"),
    ),
    Decision(
        _VERIFY,
        "no, but you can label a few hundred answers",
        "Audit first. If the generator is nearly always right, filtering only costs data.",
        ("VER-3", "VER-15", "VER-17"),
    ),
    Decision(
        "One more generation?",
        "without real data",
        "No: each adds its error, and rare items are lost for good.",
        ("REG-1", "STR-15", "TAL-9", "TAL-16"),
    ),
    Decision(
        "One more generation?",
        "with a share of real data in each",
        "It changes little: the error levels.",
        ("DEB-6", "STR-13", "TAL-15"),
    ),
    Decision(
        "A bigger model?",
        "for data of which a part is synthetic",
        "In least squares without ridge: up to the number of samples a wider model follows the "
        "wrong teacher the better; beyond it, less, but not to zero. Images do not always follow. "
        "Size does not remove the floor.",
        ("STR-7", "STR-6", "STR-9"),
    ),
    Decision(
        "More data of the same kind?",
        "labelled by a model",
        "Only with a penalty chosen for it: with the one that is best on clean data the error "
        "rises again.",
        ("REG-13", "REG-15"),
    ),
    Decision(
        "Regularise?",
        "labels come from a chain of models, or a mixture",
        "Yes, more than for clean data, and the more generations, the more. It does not remove a "
        "floor.",
        ("REG-10", "REG-15", "STR-16"),
    ),
    Decision(
        "Watch the tails?",
        "the generator samples with top-p, top-k or a low temperature",
        "Yes: measure rare items, not averages. A tail that is cut stops the scaling at its mass; "
        "a little real data bring the law back, after a plateau.",
        ("TAL-3", "TAL-6", "TAL-11", "TAL-12"),
    ),
    Decision(
        "Watch the tails?",
        "models have several modes",
        "Look between the modes: what appears there is synthetic. Accumulating slows the spread "
        "from linear to logarithmic.",
        ("DEB-13", "DEB-14"),
    ),
    Decision(
        "Curated or distilled data instead?",
        "a small set made to teach",
        "It teaches the architecture and the setting it was made for; take parts of it, or "
        "another architecture, and much is gone. Compare with class means and chosen images.",
        ("DST-10", "DST-13", "DST-16"),
    ),
    Decision(
        "Is a Bayesian network a defence?",
        "against inputs or labels made to deceive",
        "No: none of the methods of inference withstood an attack that knew of it, and its "
        "uncertainty did not tell.",
        ("BNN-8", "BNN-9", "BNN-10", "BNN-12"),
    ),
)


def decision_table(entries: Iterable[LedgerEntry]) -> pd.DataFrame:
    """Return the advice as a table, each row with the verdicts of its claims.

    Parameters
    ----------
    entries : iterable of LedgerEntry
        The ledger, as `fragile_learning.claims.read_ledger` gives it.

    Returns
    -------
    DataFrame
        Columns ``situation``, ``advice`` and ``rests_on``: ids with their verdicts.

    Raises
    ------
    ValueError
        If a claim is not in the ledger.

    Examples
    --------
    >>> from fragile_learning.claims import read_ledger
    >>> table = decision_table(read_ledger())
    >>> table["rests_on"].iloc[-1]
    'BNN-8 agrees, BNN-9 agrees, BNN-10 agrees, BNN-12 agrees'
    """
    verdicts = {entry.id: str(entry.outcome) for entry in entries}
    rows = []
    for one in DECISIONS:
        missing = [identity for identity in one.claims if identity not in verdicts]
        if missing:
            raise ValueError(f"claims must be in the ledger, got {', '.join(missing)}")
        rows.append(
            {
                "situation": f"{one.question} – {one.answer}",
                "advice": one.advice,
                "rests_on": ", ".join(f"{name} {verdicts[name]}" for name in one.claims),
            }
        )
    return pd.DataFrame(rows)
