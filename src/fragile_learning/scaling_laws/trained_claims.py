"""The claims on trained models, and how each is judged.

Counts of divisors are whole numbers that differ from seed to seed, so claims ask for differences
that are large against those seen in trials, on other seeds, before the archived tables. One chain
that falls short decides nothing: with fewer than three replicates such a verdict is inconclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.claims import Claim, Outcome, Verdict, rows_with, verdict_of
from fragile_learning.statistics import mean_and_standard_error, plus_minus

__all__ = ["TRAINED_CLAIMS"]

Tables = Mapping[str, pd.DataFrame]

PAPER = "Dohmatob, Feng, Yang, Charton, Kempe 2024"

_REPLICATES = 3  # that decide against a claim
_LOSS = 2  # divisors that a chain un-learns
_KEPT = 10  # divisors that a chain of real answers keeps
_STEADY = 1.0  # divisors that a chain of most likely answers may lose
_RECOVERED = 10.0
_STUCK = 1.5  # divisors above the teacher's
_FREED = 2.5
_SATURATED, _GROWING = 0.15, 0.25  # rise of three late generations over that of the first three
_FLAT = 0.05
_RISE, _CONTROL, _HELP = 1.5, 0.1, 0.05  # asked of small transformers on text


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"scaling_laws/{name}"]


def _by_generation(frame: Any, column: str = "n_learnt") -> Any:
    """Replicates in rows, generations in columns."""
    return frame.pivot_table(column, "replicate", "generation")


def _mean(values: Any) -> str:
    """Write the mean of replicates with its standard error; a single one without."""
    samples = np.asarray(values, float)
    if samples.size < 2:
        return f"{samples.mean():.4g}"
    mean, error = mean_and_standard_error(samples)
    return plus_minus(float(mean), float(error))


def _counts(values: Any) -> str:
    return ", ".join(f"{value:g}" for value in values)


# --- the judges -------------------------------------------------------------------------------


def _unlearning(tables: Tables) -> Verdict:
    frame = rows_with(_table(tables, "gcd-generations"), operands="uniform", temperature=1.0)
    chain = _by_generation(rows_with(frame, real_fraction=0.0))
    control = _by_generation(rows_with(frame, real_fraction=1.0))
    lost = chain[0] - chain[4]
    least = float(control.to_numpy().min())
    agrees = bool((lost >= _LOSS).all()) and least >= _KEPT
    return verdict_of(
        agrees,
        f"Chains that sample their answers know {_counts(chain[0])} divisors at first and "
        f"{_counts(chain[4])} after four generations; chains of real answers never fewer than "
        f"{least:g}.",
        {
            "smallest_loss": float(lost.min()),
            "mean_loss": float(lost.mean()),
            "least_in_control": least,
            "n_replicates": len(chain),
        },
        decided=agrees or len(chain) >= _REPLICATES,
        measured=f"{_mean(lost)} of {chain[0].mean():.1f} lost; with real answers "
        f"{_mean(control[0] - control[min(4, control.columns.max())])}",
    )


def _most_likely(frame: Any) -> tuple[bool, str, dict[str, float]]:
    """Whether chains of most likely answers stay where chains of sampled ones do not."""
    frame = rows_with(frame, operands="uniform", real_fraction=0.0)
    argmax, sampled = (
        _by_generation(rows_with(frame, temperature=one)).mean() for one in (0.0, 1.0)
    )
    last = int(frame["generation"].max())
    steady = float(argmax[1] - argmax[last])
    apart = float(argmax[last] - sampled[last])
    labels = _by_generation(rows_with(frame, temperature=0.0), "n_labels").mean()
    return (
        steady <= _STEADY and apart >= _LOSS,
        (
            f"Chains of most likely answers know {argmax[1]:.1f} divisors in generation 1 and "
            f"{argmax[last]:.1f} in generation {last} (sampled: {sampled[last]:.1f}), from "
            f"{labels[1]:.0f} and {labels[last]:.0f} different labels"
        ),
        {"argmax_loss": steady, "argmax_over_sampled": apart},
    )


def _mixes(frame: Any) -> tuple[bool, str, dict[str, float], str]:
    """Whether an omitted tail is recovered, and a contradicted one only by a majority."""
    late = frame[frame["n_samples"] > 0.5 * frame["n_samples"].max()]
    keys = ["mix", "real_fraction", "replicate"]
    each = late.groupby(keys)["n_learnt"].max()
    most = each.groupby(level=[0, 1]).mean()
    teacher = float(frame.groupby("replicate")["teacher_learnt"].first().mean())
    omitting, relabelled = most.loc["omitting"], most.loc["relabelled"]
    minority = relabelled[relabelled.index < 0.5]
    majority = relabelled[(relabelled.index > 0.5) & (relabelled.index < 1.0)]
    holds = [
        omitting[0.2] >= _RECOVERED,
        omitting[0.0] <= teacher + _STUCK,
        (minority <= teacher + _STUCK).all(),
        (majority >= teacher + _FREED).all(),
    ]
    return (
        all(holds),
        (
            f"a teacher knows {teacher:.1f}; its students reach {omitting[0.2]:.1f} with a fifth "
            f"of real pairs if it omits the rest ({omitting[0.0]:.1f} without), "
            f"{minority.max():.1f} with up to {minority.index.max():g} if it contradicts them, "
            f"{majority.min():.1f} with {majority.index.min():g}"
        ),
        {
            "teacher": teacher,
            "omitting": float(omitting[0.2]),
            "omitting_without_real": float(omitting[0.0]),
            "minority": float(minority.max()),
            "majority": float(majority.min()),
        },
        ", ".join(
            f"{_mean(each.loc['relabelled', share])} at π = {share:g}"
            for share in (minority.idxmax(), majority.idxmin())
        ),
    )


def _plateaus(tables: Tables) -> Verdict:
    steady, told, numbers = _most_likely(_table(tables, "gcd-generations"))
    frame = _table(tables, "gcd-recovery")
    mixed, also, more, shown = _mixes(frame)
    return verdict_of(
        steady and mixed,
        f"{told}; {also}.",
        {**numbers, **more},
        decided=(steady and mixed) or frame["replicate"].nunique() >= _REPLICATES,
        measured=f"{shown}; teacher {more['teacher']:.1f}",
    )


def _growth(chains: Any, share: float) -> Any:
    """Perplexity of the last generation over that of the first, in each replicate."""
    wide = chains[chains["real_fraction"] == share].pivot_table(
        "perplexity", "replicate", "generation"
    )
    return wide[wide.columns.max()] / wide[0]


def _text(tables: Tables) -> Verdict:
    chains, sizes = _table(tables, "text-generations"), _table(tables, "text-scaling")
    means = chains.groupby(["real_fraction", "generation"])["perplexity"].mean().unstack()
    last = int(means.columns.max())
    first, late = means[3] - means[0], means[last] - means[last - 3]
    slowing = late / first
    mixed = slowing[(slowing.index >= 0.1) & (slowing.index < 1.0)]
    alone = means.loc[0.0].to_numpy()
    laws = sizes.groupby(["data", "n_writer_tokens", "tokens"])["perplexity"].mean()
    real = laws.loc["real"].droplevel(0)
    gains, spreads = {}, {}
    for writer in sorted(set(sizes["n_writer_tokens"])):
        law = laws.loc["synthetic", writer]
        law = law[(law.index >= 300_000) & (law.index <= 3_000_000)]
        if len(law) < 3:
            raise ValueError(f"needs texts of 300,000 to 3,000,000 tokens, got {list(law.index)}")
        gains[writer] = float(1.0 - law.min() / law.iloc[0])
        spreads[writer] = float(law.max() / law.min() - 1.0)
    best, poorest = max(gains), min(gains)
    holds = [
        bool(np.all(np.diff(alone) > 0.0)),
        bool((mixed <= _SATURATED).all()) and float(slowing[0.0]) >= _GROWING,
        max(gains.values()) <= _FLAT,
        spreads[best] <= _FLAT,
        bool(np.all(np.diff(real) < 0.0)),
    ]
    return verdict_of(
        all(holds),
        f"Without real text the perplexity grows from {alone[0]:.0f} to {alone[-1]:.0f} in {last} "
        f"generations; the last three add {slowing[0.0]:.2f} of what the first three did, and at "
        f"most {mixed.max():.2f} with a tenth of real text or more. From 300,000 to 3,000,000 "
        f"synthetic tokens the perplexity moves by {100 * spreads[best]:.1f} % for a writer of "
        f"{best:,} tokens, and by {100 * spreads[poorest]:.1f} %, upwards, for one of {poorest:,}.",
        {
            "first": float(alone[0]),
            "last": float(alone[-1]),
            "late_over_early": float(slowing[0.0]),
            "late_over_early_mixed": float(mixed.max()),
            "largest_gain": max(gains.values()),
            **{f"spread_{writer}": spread for writer, spread in spreads.items()},
        },
        measured="; ".join(
            f"×{_mean(_growth(chains, share))} at π = {share:g}" for share in (0.0, 0.1)
        ),
    )


def _large_model(tables: Tables) -> Verdict:
    """Not run, whatever the table says; what it says is told beside."""
    frame = _table(tables, "text-transformers")
    warm = rows_with(frame, temperature=1.0)
    means = warm.groupby(["real_fraction", "generation"])[["perplexity", "n_types"]].mean()
    perplexity = means["perplexity"].unstack()
    last = int(perplexity.columns.max())
    first = float(perplexity.loc[0.0, 0])
    alone, few, tenth, real = (
        float(perplexity.loc[share, last]) for share in (0.0, 0.02, 0.1, 1.0)
    )
    words = means["n_types"].loc[0.0].to_numpy()
    holds = {
        "rises": bool(np.all(np.diff(perplexity.loc[0.0]) > 0.0)) and alone > _RISE * first,
        "loses_words": bool(np.all(np.diff(words) < 0.0)),
        "control_stays": bool(((perplexity.loc[1.0] / first - 1.0).abs() <= _CONTROL).all()),
        "two_percent_help": few < alone,
        "a_tenth_helps": tenth <= (1.0 - _HELP) * alone,
    }
    return Verdict(
        Outcome.NOT_RUN,
        f"The weights are not here. In their place small transformers on {_corpus(frame)}, "
        f"{_replicates(frame)} chains: the perplexity goes from {first:.0f} to {alone:.0f} in "
        f"{last} generations, with 2 % of real text to {few:.0f}, with 10 % to {tenth:.0f}, with "
        f"real text alone to {real:.0f}; {sum(holds.values())} of {len(holds)} expectations "
        "written before that run hold.",
        {
            "first": first,
            "without_real": alone,
            "two_percent_real": few,
            "a_tenth_real": tenth,
            "all_real": real,
            **holds,
        },
    )


def _corpus(frame: Any) -> str:
    names = {"king-james": "the King James Bible", "python-topics": "Python's documentation"}
    (name,) = set(frame["corpus_name"])
    return names.get(str(name), str(name))


def _replicates(frame: Any) -> int:
    return int(frame["replicate"].nunique())


# --- the claims -------------------------------------------------------------------------------


def _claim(number: int, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"scaling_laws/{name}" for name in fields.pop("experiments"))
    values = {"tier": "quick", "expected": Outcome.AGREES, **fields}
    return Claim(f"TAL-{number}", statement=statement, experiments=experiments, **values)


_ABSTRACT = PAPER + ", abstract: un-learning of skills, grokking of mixed data"

TRAINED_CLAIMS: tuple[Claim, ...] = (
    _claim(
        23,
        "Transformers that learn greatest common divisors from sampled answers of each other "
        "un-learn them; those that learn from real answers do not.",
        source=_ABSTRACT + "; sizes of this book",
        measure="Divisors known (95 % of 50 test pairs) in generations 0 and 4 of chains at "
        "temperature 1, base 60, 20,000 pairs a generation; least number in chains of real "
        "answers.",
        margin="every chain loses 2 or more in four generations; with real answers never fewer "
        "than 10",
        margin_reason="The plan's three trials lost 3 or 4, three of our own as many; controls had "
        "11 or 12. One divisor at the bound of 95 % can come and go by chance.",
        experiments=("gcd-generations",),
        judge=_unlearning,
        reported="skills lost (> 0); none with real answers (0)",
    ),
    _claim(
        24,
        "Most likely answers stop un-learning after one generation. Real pairs in the mixture "
        "bring a tail back that the synthetic ones omit, after a plateau; a tail that they "
        r"contradict comes back only for $\pi > 1/2$.",
        source=_ABSTRACT + "; the majority, and most likely answers: derived in this book",
        measure="Mean number of divisors known in generations 1 and 5 of chains of most likely "
        "answers, and of sampled ones; mean over students of the largest number in the second half "
        "of a stream of 300,000 pairs of an early-stopped teacher and of real ones.",
        margin="most likely answers: at most 1 divisor lost, and 2 more than sampled ones at the "
        "end; omitted: 10 or more at a real fraction of 0.2, at most 1.5 above the teacher without "
        "real pairs; contradicted: at most 1.5 above the teacher up to 0.3, at least 2.5 at 0.6",
        margin_reason="A student can name a divisor that its teacher does not, like 12 of 4 and 3: "
        "trials had one more, once two. At 0.6 true labels outnumber wrong ones only by half, and "
        "counts of trials jumped between 6 and 10: hence the largest.",
        experiments=("gcd-generations", "gcd-recovery"),
        judge=_plateaus,
        reported="a contradicted tail comes back only for π > 1/2",
        tier="full",
    ),
    _claim(
        25,
        "Text of bigram models: without real text the perplexity grows with the generations, with "
        "a tenth of real text it saturates, and more text of one model stops helping.",
        source=PAPER + ", abstract, on language models; here on word bigrams",
        measure="Mean perplexity on held-out real text over ten generations of 20,000 tokens of "
        "Python's documentation; rise of the last three over that of the first three; perplexity "
        "with 300,000 to 3,000,000 tokens of one writer.",
        margin="grows in every generation; late over early rise at most 0.15 with a tenth and a "
        "half of real text, at least 0.25 without; ten times the text gains at most 5 % with "
        "either writer and, with one of 50,000 tokens, moves the perplexity by no more; real text "
        "helps at every size",
        margin_reason="5 % is the plan's. Trials with the plan's writer of 20,000 tokens do not "
        "stay flat, they get 7 to 10 % worse: smoothing trusts a long text. So flatness is asked "
        "of a writer of 50,000 tokens, and of both that more text does not help. The bounds on the "
        "rise are a factor two from the quick table's values (0.06 and 0.39), known beforehand.",
        experiments=("text-generations", "text-scaling"),
        judge=_text,
    ),
    _claim(
        26,
        "Llama2-7B, fine-tuned on text of its last generation, collapses, and about 2 % of "
        "original data mitigate it markedly.",
        source=PAPER + ", experiments, as reported",
        measure="Not measured. Beside it: perplexity on held-out real text of transformers with "
        "364,288 weights, trained from scratch on 50,000 tokens in each of five generations.",
        margin="none: the model was not run. Asked of the small ones: without real text the mean "
        "perplexity rises in every generation, above 1.5 times the first, and words die out in "
        "every generation; with real text alone it stays within 10 %; 2 % of real text help at "
        "all, a tenth by 5 % or more",
        margin_reason="What small models do says little about a large one that was trained before. "
        "The expectations were written with one trial chain known (72, 97, 111); 2 % of real text "
        "may do less than the noise of three chains.",
        experiments=("text-transformers",),
        judge=_large_model,
        reported="about 2 % of original data mitigate collapse markedly",
        tier="full",
        expected=Outcome.NOT_RUN,
    ),
)
