"""The claims on trained posteriors, and how each is judged.

The margins are the plan's. They rest on trials with other seeds, and were written before the
archived tables. Verdicts are on Fashion-MNIST, of which the plan speaks; what digits show is told
beside them. One replicate that falls short decides nothing: with fewer than three such a verdict
is inconclusive. The paper's body was not at hand: what is known of it is "as reported".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fragile_learning.claims import Claim, Outcome, Verdict, rows_with, verdict_of
from fragile_learning.statistics import mean_plus_minus, plus_minus

__all__ = ["TRAINED_CLAIMS"]

Tables = Mapping[str, pd.DataFrame]

PAPER = "Feng, Rudner, Tsilivis, Kempe 2024"

_REPLICATES = 3  # that decide against a claim
_RADIUS = 0.1
_RHAT_MEDIAN, _RHAT_MAX = 1.01, 1.1
_ACCEPTANCE = (0.7, 0.95)
_CLEAN, _ROBUST = 0.75, 0.3
_LEFT = 0.5  # of the clean accuracy
_MIXED_ENOUGH = 1.1  # median R-hat of short chains, of the worst replicate
_SHORT_ACCEPTANCE = (0.5, 0.99)
_FOUND, _CAUGHT = 0.56, 0.10
_ENTROPY_DROP, _INFORMATION_DROP = 0.08, 0.1
_SHIFT_CLEAN, _SHIFT_ATTACKED = 0.85, 0.5


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"bayes/{name}"]


def _at(frame: Any, **values: Any) -> Any:
    """Rows with these values at the judged radius."""
    return rows_with(frame[(frame["radius"] - _RADIUS).abs() < 1e-9], **values)


def _mean(frame: Any, column: str) -> float:
    return float(frame[column].mean())


def _level(values: Any) -> str:
    """Write the mean of shares over replicates, with its standard error, in per cent."""
    return mean_plus_minus(values, scale=100.0)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# --- the judges -----------------------------------------------------------------------------------


def _mixed(tables: Tables) -> Verdict:
    frame = _table(tables, "mixing")
    rows_with(frame, data="fashion")
    count = frame.groupby("data")["replicate"].nunique().min()
    median, largest = float(frame["rhat_median"].max()), float(frame["rhat_max"].max())
    low, high = float(frame["acceptance"].min()), float(frame["acceptance"].max())
    divergent = int(frame["n_divergent"].sum())
    agrees = (
        median < _RHAT_MEDIAN
        and largest < _RHAT_MAX
        and _ACCEPTANCE[0] <= low <= high <= _ACCEPTANCE[1]
        and divergent == 0
    )
    weights = float(frame["weights_mixed"].min())
    ess, draws = float(frame["ess_median"].min()), int(frame["n_draws"].min())
    return verdict_of(
        agrees,
        f"Worst of {len(frame)} runs: a median R-hat of the predictive probabilities of "
        f"{median:.4f}, a largest of {largest:.3f}; acceptance {low:.2f} to {high:.2f}, "
        f"{divergent} divergent trajectories, at least {ess:.0f} effective of {draws} draws. Of "
        f"the weights themselves at least {_percent(weights)} have an R-hat below 1.1.",
        {
            "rhat_median": median,
            "rhat_max": largest,
            "rhat_energy": float(frame["rhat_energy"].max()),
            "acceptance_low": low,
            "acceptance_high": high,
            "n_divergent": divergent,
            "ess_median": ess,
            "n_draws": draws,
            "weights_mixed": weights,
            "n_replicates": int(count),
        },
        decided=agrees or count >= _REPLICATES,
        measured=f"R-hat: median {median:.4f}, largest {largest:.3f}, worst of {len(frame)} runs",
    )


def _accuracies(frame: Any, method: str, data: str = "fashion") -> dict[str, float]:
    """Mean accuracies of a method over replicates: clean, and under each attack."""
    known = rows_with(frame, data=data, method=method)
    rows = _at(known)
    found = {"clean": _mean(rows_with(known, attack="none"), "accuracy")}
    for attack in ("FGSM", "label", "margin", "targeted"):
        found[attack] = _mean(rows_with(rows, attack=attack), "accuracy")
    return found


def _labels(tables: Tables) -> Verdict:
    frame = _table(tables, "robustness")
    ours, one = _accuracies(frame, "HMC"), _accuracies(frame, "deterministic")
    rows = rows_with(frame, data="fashion", method="HMC")
    count, n = rows["replicate"].nunique(), int(rows["n"].min())
    errors = {name: math.sqrt(ours[name] * (1.0 - ours[name]) / n) for name in ("clean", "margin")}
    error = errors["margin"]
    agrees = ours["clean"] > _CLEAN and ours["margin"] < _ROBUST
    return verdict_of(
        agrees,
        f"At radius {_RADIUS} the accuracy of Hamiltonian Monte Carlo falls from "
        f"{_percent(ours['clean'])} to {_percent(ours['margin'])} (standard error "
        f"{100 * error:.1f} %; {_percent(ours['targeted'])} if the attack also aims at other "
        f"classes), that of one network from {_percent(one['clean'])} to "
        f"{_percent(one['margin'])}.",
        {
            "clean": ours["clean"],
            "margin": ours["margin"],
            "targeted": ours["targeted"],
            "label": ours["label"],
            "FGSM": ours["FGSM"],
            "standard_error": error,
            "deterministic_clean": one["clean"],
            "deterministic_margin": one["margin"],
            "n_test": n,
            "n_replicates": count,
        },
        decided=agrees or count >= _REPLICATES,
        measured="{} % clean, {} % attacked ({} images)".format(
            *(plus_minus(100.0 * ours[name], 100.0 * size) for name, size in errors.items()), n
        ),
    )


def _left(frame: Any, data: str) -> dict[str, float]:
    """Share of its clean accuracy that each method keeps under the strongest attack."""
    methods = rows_with(frame, data=data)["method"].unique()
    found = {}
    for method in methods:
        ours = _accuracies(frame, str(method), data)
        clean = ours.pop("clean")
        found[str(method)] = min(ours.values()) / clean if clean else math.inf
    return found


def _strongest(frame: Any, method: str) -> str:
    """Write what the strongest attack leaves of a method's clean accuracy."""
    attacks = _accuracies(frame, method)
    del attacks["clean"]
    known = rows_with(frame, data="fashion", method=method)
    attacked = rows_with(_at(known), attack=min(attacks, key=attacks.__getitem__))
    clean = rows_with(known, attack="none")
    return f"{_level(attacked['accuracy'])} of {_level(clean['accuracy'])} %"


def _all_methods(tables: Tables) -> Verdict:
    frame = _table(tables, "robustness")
    left = _left(frame, "fashion")
    if len(left) < 7:
        raise ValueError(f"needs seven methods, got {sorted(left)}")
    count = rows_with(frame, data="fashion")["replicate"].nunique()
    best = max(left, key=left.__getitem__)
    agrees = left[best] < _LEFT
    beside = ""
    numbers: dict[str, Any] = {f"left_{name}": share for name, share in left.items()}
    if (frame["data"] == "digits").any():
        digits = _left(frame, "digits")
        least, most = min(digits.values()), max(digits.values())
        numbers |= {"digits_least": least, "digits_most": most}
        beside = (
            f" On digits of 8 x 8 pixels, which have fewer pixels to change, they keep "
            f"{_percent(least)} to {_percent(most)}."
        )
    return verdict_of(
        agrees,
        f"At radius {_RADIUS} the strongest attack leaves the {len(left)} methods "
        f"{_percent(min(left.values()))} to {_percent(left[best])} of their clean accuracy, most "
        f"of it to {best}." + beside,
        {**numbers, "most_left": left[best], "n_methods": len(left), "n_replicates": count},
        decided=agrees or count >= _REPLICATES,
        measured=f"at most {_strongest(frame, best)} ({best}, {_runs(count)})",
    )


def _detected(frame: Any, attack: str, score: str, data: str = "fashion") -> Any:
    return _at(frame, data=data, method="HMC", attack=attack, score=score)


def _detection(tables: Tables) -> Verdict:
    frame = _table(tables, "detection")
    adaptive = _detected(frame, "two-stage entropy", "total_entropy")
    blind = _detected(frame, "label", "total_entropy")
    found, caught = _mean(adaptive, "auroc"), _mean(adaptive, "caught")
    count = adaptive["replicate"].nunique()
    agrees = found <= _FOUND and caught <= _CAUGHT
    every = _at(frame, data="fashion", attack="two-stage entropy", score="total_entropy").groupby(
        "method"
    )["auroc"]
    return verdict_of(
        agrees,
        f"Under the two-stage attack at radius {_RADIUS} the total entropy of Hamiltonian Monte "
        f"Carlo has an AUROC of {found:.3f}, and the threshold for 5 % false alarms catches "
        f"{_percent(caught)} of the images that are fooled; under the attack on the label alone "
        f"{_mean(blind, 'auroc'):.3f} and {_percent(_mean(blind, 'caught'))}.",
        {
            "auroc": found,
            "caught": caught,
            "auroc_label": _mean(blind, "auroc"),
            "caught_label": _mean(blind, "caught"),
            "auroc_least_of_methods": float(every.mean().min()),
            "auroc_most_of_methods": float(every.mean().max()),
            "n_replicates": count,
        },
        decided=agrees or count >= _REPLICATES,
        measured=f"AUROC {mean_plus_minus(adaptive['auroc'])}, "
        f"{_level(adaptive['caught'])} % caught ({_runs(count)})",
    )


_DROPS = (
    ("entropy", "total_entropy", "two-stage entropy", _ENTROPY_DROP),
    ("information", "mutual_information", "two-stage information", _INFORMATION_DROP),
)


def _adaptive(tables: Tables) -> Verdict:
    frame = _table(tables, "detection")
    numbers: dict[str, Any] = {}
    agrees, words, falls = True, [], []
    count = 0
    for name, score, attack, needed in _DROPS:
        blind, known, margin = (_detected(frame, one, score) for one in ("label", attack, "margin"))
        count = known["replicate"].nunique()
        drop = _mean(blind, "auroc") - _mean(known, "auroc")
        from_margin = _mean(margin, "auroc") - _mean(known, "auroc")
        numbers |= {
            f"{name}_label": _mean(blind, "auroc"),
            f"{name}_adaptive": _mean(known, "auroc"),
            f"{name}_drop": drop,
            f"{name}_drop_from_margin": from_margin,
        }
        agrees = agrees and drop >= needed
        paired = [one.set_index("replicate")["auroc"] for one in (blind, known)]
        falls.append(f"{name} {mean_plus_minus(paired[0] - paired[1])}")
        words.append(
            f"of {score.replace('_', ' ')} from {_mean(blind, 'auroc'):.3f} to "
            f"{_mean(known, 'auroc'):.3f} ({from_margin:.3f} below the attack on the margin)"
        )
    return verdict_of(
        agrees,
        f"From the attack on the label to the one that knows the score, at radius {_RADIUS}, the "
        f"AUROC falls {words[0]}, {words[1]}.",
        {**numbers, "n_replicates": count},
        decided=agrees or count >= _REPLICATES,
        measured=f"AUROC less: {', '.join(falls)} ({_runs(count)})",
    )


def _shift(tables: Tables) -> Verdict:
    frame = _table(tables, "shift")
    known = rows_with(frame, method="HMC", score="total_entropy")
    fashion = rows_with(known, data="fashion")
    let_be = rows_with(fashion, attacked="none")
    attacked = _at(fashion, attacked="total_entropy")
    before, after = _mean(let_be, "auroc"), _mean(attacked, "auroc")
    count = fashion["replicate"].nunique()
    agrees = before > _SHIFT_CLEAN and after < _SHIFT_ATTACKED
    information = rows_with(frame, data="fashion", method="HMC", score="mutual_information")
    numbers: dict[str, Any] = {
        "auroc": before,
        "auroc_attacked": after,
        "information": _mean(rows_with(information, attacked="none"), "auroc"),
        "information_attacked": _mean(_at(information, attacked="mutual_information"), "auroc"),
        "n_replicates": count,
    }
    beside = ""
    if (known["data"] == "digits").any():
        digits = rows_with(known, data="digits")
        numbers["swapped"] = _mean(rows_with(digits, attacked="none"), "auroc")
        numbers["swapped_attacked"] = _mean(_at(digits, attacked="total_entropy"), "auroc")
        beside = (
            f" With the two data sets swapped, at 8 x 8 pixels, from {numbers['swapped']:.3f} to "
            f"{numbers['swapped_attacked']:.3f}."
        )
    return verdict_of(
        agrees,
        f"The total entropy of Hamiltonian Monte Carlo tells digits from Fashion-MNIST with an "
        f"AUROC of {before:.3f}; {after:.3f} once the digits are attacked at radius {_RADIUS}. "
        f"Mutual information, attacked itself: from {numbers['information']:.3f} to "
        f"{numbers['information_attacked']:.3f}." + beside,
        numbers,
        decided=agrees or count >= _REPLICATES,
        measured=f"AUROC {mean_plus_minus(let_be['auroc'])} let be, "
        f"{mean_plus_minus(attacked['auroc'])} attacked ({_runs(count)})",
    )


_EXPECTED = {
    "labels": "accuracy",
    "both_lose_half": "both networks' loss",
    "detection": "detection",
    "entropy_drop": "the drop of total entropy",
    "information_drop": "the drop of mutual information",
    "shift": "semantic shift",
}


def _at_both(frame: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Means over replicates at the judged radius: of Hamiltonian Monte Carlo, of one network."""
    ours, one = (
        {
            column: float(value)
            for column, value in _at(frame, method=method).mean(numeric_only=True).items()
        }
        for method in ("HMC", "deterministic")
    )
    return ours, one


def _expectations(ours: dict[str, float], one: dict[str, float]) -> dict[str, bool]:
    """Which inequalities of BNN-8 to BNN-12 hold."""
    holds = {
        "labels": ours["clean"] > _CLEAN and ours["robust"] < _ROBUST,
        "both_lose_half": all(m["robust"] < _LEFT * m["clean"] for m in (ours, one)),
        "detection": ours["entropy_adaptive"] <= _FOUND and ours["caught_adaptive"] <= _CAUGHT,
        "entropy_drop": ours["entropy_label"] - ours["entropy_adaptive"] >= _ENTROPY_DROP,
        "information_drop": ours["information_label"] - ours["information_adaptive"]
        >= _INFORMATION_DROP,
        "shift": ours["shift_clean"] > _SHIFT_CLEAN and ours["shift_attacked"] < _SHIFT_ATTACKED,
    }
    return {name: bool(value) for name, value in holds.items()}


def _convolutional(tables: Tables) -> Verdict:
    frame = _table(tables, "convolutional-28")
    ours, one = _at_both(frame)
    holds = _expectations(ours, one)
    chains = _at(frame, method="HMC")
    count = int(chains["replicate"].nunique())
    rhat = float(chains["rhat_median"].max())
    low, high = float(chains["acceptance"].min()), float(chains["acceptance"].max())
    divergent = int(chains["n_divergent"].sum())
    mixed = rhat < _MIXED_ENOUGH and _SHORT_ACCEPTANCE[0] <= low <= high <= _SHORT_ACCEPTANCE[1]
    small, _ = _at_both(_table(tables, "convolutional"))
    n = int(ours["n_train"])
    broken = [_EXPECTED[name] for name, value in holds.items() if not value]
    told = f"All {len(holds)} inequalities hold" if not broken else "Not for " + ", ".join(broken)
    return verdict_of(
        not broken,
        f"{told}. With {n:,} images, at radius {_RADIUS}, the accuracy of Hamiltonian Monte Carlo "
        f"falls from {_percent(ours['clean'])} to {_percent(ours['robust'])} (one network: "
        f"{_percent(one['clean'])} to {_percent(one['robust'])}), the AUROC of its total entropy "
        f"for attacked images from {ours['entropy_label']:.3f} to {ours['entropy_adaptive']:.3f} "
        f"once the attack knows of it, for digits from {ours['shift_clean']:.3f} to "
        f"{ours['shift_attacked']:.3f}. Median R-hat at most {rhat:.3f}, acceptance {low:.2f} to "
        f"{high:.2f}, {divergent} divergent trajectories in {count} runs. With "
        f"{int(small['n_train']):,} images, on a CPU: accuracy {_percent(small['clean'])} to "
        f"{_percent(small['robust'])}, AUROC {small['entropy_label']:.3f} to "
        f"{small['entropy_adaptive']:.3f}, for digits {small['shift_clean']:.3f} to "
        f"{small['shift_attacked']:.3f}.",
        {
            **{
                name: ours[name]
                for name in (
                    "clean",
                    "robust",
                    "entropy_label",
                    "entropy_adaptive",
                    "information_label",
                    "information_adaptive",
                    "caught_label",
                    "caught_adaptive",
                    "shift_clean",
                    "shift_attacked",
                )
            },
            "deterministic_clean": one["clean"],
            "deterministic_robust": one["robust"],
            "rhat_median": rhat,
            "rhat_max": float(chains["rhat_max"].max()),
            "acceptance_low": low,
            "acceptance_high": high,
            "n_divergent": divergent,
            "n_train": n,
            "n_replicates": count,
            "small_clean": small["clean"],
            "small_robust": small["robust"],
            **{f"holds_{name}": value for name, value in holds.items()},
        },
        decided=mixed and count >= _REPLICATES,
        measured=f"accuracy {_percent(ours['clean'])} to {_percent(ours['robust'])}, AUROC "
        f"{ours['entropy_label']:.2f} to {ours['entropy_adaptive']:.2f}",
    )


# --- the claims -----------------------------------------------------------------------------------


def _claim(number: int, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"bayes/{name}" for name in fields.pop("experiments"))
    values = {"tier": "quick", "expected": Outcome.AGREES, **fields}
    return Claim(f"BNN-{number}", statement=statement, experiments=experiments, **values)


_SETTING = (
    "Fashion-MNIST at 14 x 14 pixels, a network with 32 hidden units, attacks of the maximum norm "
    "through all posterior samples"
)

TRAINED_CLAIMS: tuple[Claim, ...] = (
    _claim(
        3,
        "Hamiltonian Monte Carlo on the small Bayesian networks has mixed in function space.",
        source="derived in this book; what claims on its posterior rest on",
        reported="R-hat: 1",
        measure="Split R-hat of the predictive probability of the true class on 100 test images, "
        "acceptance and divergent trajectories; the worst of both data sets and all replicates.",
        margin="median R-hat below 1.01, largest below 1.1; acceptance in 0.7 to 0.95; no "
        "divergent trajectory",
        margin_reason="1.01 and 1.1 are the limits in common use. The plan's five runs had 1.002, "
        "1.03, 0.83 and none. Weights are not judged: hidden units can be swapped, and chains that "
        "started in different places may differ in them and agree in what they predict.",
        experiments=("mixing",),
        judge=_mixed,
    ),
    _claim(
        8,
        "Label prediction by Hamiltonian Monte Carlo, the best approximation of the posterior, is "
        "not robust.",
        source=PAPER + ", abstract, as reported; here " + _SETTING,
        measure="Accuracy of the posterior predictive mean on clean test images, and at radius 0.1 "
        "under projected gradient ascent on the margin; mean over replicates.",
        margin="clean above 0.75, attacked below 0.3",
        margin_reason="The plan's five seeds had 0.81 and 0.19 (standard deviation 0.01, and 0.03 "
        "from the number of test images); one network, trained from half a standard deviation of "
        "the prior, 0.80 and 0.165. An attack can be beaten by a better one: its accuracy is an "
        "upper bound.",
        experiments=("robustness",),
        judge=_labels,
    ),
    _claim(
        9,
        "No method of inference is robust: each of seven loses more than half of its clean "
        "accuracy.",
        source=PAPER + ", abstract, as reported; here " + _SETTING,
        measure="Accuracy at radius 0.1 under the strongest of four attacks over clean accuracy, "
        "means over replicates: one network, ensemble, dropout, Laplace, function-space and "
        "mean-field variational inference, Hamiltonian Monte Carlo.",
        margin="below a half for each of them",
        margin_reason="The most in the plan's runs was mean field with 0.30 of 0.80. A half is "
        "generous to the methods: chance is a tenth.",
        experiments=("robustness",),
        judge=_all_methods,
    ),
    _claim(
        10,
        "Detection of attacked images by uncertainty fails against an attack that knows of it.",
        source=PAPER + ", abstract, as reported; here " + _SETTING,
        measure="Hamiltonian Monte Carlo, radius 0.1, two-stage attack on the total entropy: AUROC "
        "of all attacked against all clean images, and share of those fooled above the threshold "
        "that flags 5 % of the clean ones that are right.",
        margin="AUROC at most 0.56, share at most 0.10",
        margin_reason="The plan's five seeds had 0.500 and 0.024 (standard deviations 0.010 and "
        "0.011), its larger run 0.474 and 0.03; 0.05 is allowed for other random numbers. Chance "
        "is 0.5 and 0.05.",
        experiments=("detection",),
        judge=_detection,
    ),
    _claim(
        11,
        "Detectors that are judged by attacks on the label alone look better than they are.",
        source=PAPER + ", abstract, as reported; here " + _SETTING,
        measure="Hamiltonian Monte Carlo, radius 0.1: AUROC of an uncertainty under ascent on "
        "minus the log-probability of the label, less that under the two-stage attack on the same "
        "uncertainty; same images and starts.",
        margin="at least 0.08 for total entropy and 0.1 for mutual information",
        margin_reason="The plan's runs had 0.13 to 0.18 and 0.24 or more. From ascent on the "
        "margin, which leaves images surer, it was 0.07 to 0.09: this is reported and not judged.",
        experiments=("detection",),
        judge=_adaptive,
    ),
    _claim(
        12,
        "Detection of semantic shift fails: an image of no class can be made to look sure.",
        source=PAPER + ", abstract, as reported; here digits among " + _SETTING,
        measure="Hamiltonian Monte Carlo: AUROC of total entropy for digits against Fashion-MNIST, "
        "let be and under ascent on minus that entropy at radius 0.1.",
        margin="above 0.85 let be, below 0.5 attacked",
        margin_reason="The plan's five seeds had 0.905 and 0.404 (standard deviations 0.012 and "
        "0.014), its larger run 0.894 and 0.335; 0.06 is allowed for other random numbers.",
        experiments=("shift",),
        judge=_shift,
    ),
    _claim(
        21,
        "The same holds for a convolutional network on 28 x 28 pixels with 10,000 training images.",
        source="derived in this book; closer to the paper's experiments, as reported",
        measure="The inequalities of BNN-8 to BNN-12, each as it is there, for means over three "
        "replicates; of BNN-9 for Hamiltonian Monte Carlo and one network, under the strongest of "
        "the attacks on the label, on the margin and towards each class. Beside it the same with "
        "few images, on a CPU.",
        margin="all of them, at radius 0.1; decided if the median R-hat of each run is below 1.1 "
        "and its acceptance in 0.5 to 0.99",
        margin_reason="The plan's, written before the run: the same conclusions, so the same "
        "inequalities. With 500 images they were met, clean accuracy and semantic shift by 0.01 "
        "only; 1,000 test images move an accuracy by 0.016 and an AUROC by about as much. "
        "Trajectories are cut at 80 steps and chains have 60 draws, so that an R-hat of 1.01 "
        "cannot be asked; above 1.1 chains have not forgotten the networks that they started "
        "from, and nothing is said of the posterior.",
        experiments=("convolutional-28", "convolutional"),
        judge=_convolutional,
        tier="full",
    ),
)
