"""The report on models whose robustness is known, and what each self-check must see."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.bayes import evaluate  # noqa: E402
from fragile_learning.bayes.attacks import pgd, predictive_log_mean  # noqa: E402
from fragile_learning.bayes.evaluate import (  # noqa: E402
    EvaluationData,
    robustness_report,
)
from fragile_learning.bayes.uncertainty import auroc, selective_accuracy_area  # noqa: E402
from fragile_learning.bayes.views import View  # noqa: E402
from fragile_learning.statistics import share_interval  # noqa: E402

RADII = (0.03, 0.08)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(n_samples=6, n_inputs=20, n_classes=4, width=32, scale=1.0, seed=0):
    draw = torch.Generator().manual_seed(seed)

    def weights(*shape):
        common = torch.randn(1, *shape, generator=draw)
        return common + 0.5 * torch.randn(n_samples, *shape, generator=draw)

    first, second = 2 * weights(n_inputs, width), weights(width, n_classes)

    def model(x):
        hidden = torch.tanh((x - 0.5) @ first)
        return (scale * (hidden @ second)).log_softmax(dim=2)

    return model


def points(n=150, n_inputs=20, seed=1):
    return torch.rand(n, n_inputs, generator=torch.Generator().manual_seed(seed))


def data_of(model, n=150, wrong=10, shifted=None, seed=1):
    x = points(n, seed=seed)
    labels = predictive_log_mean(model, x).argmax(dim=1)
    labels[:wrong] = (labels[:wrong] + 1) % 4
    return EvaluationData(x, labels, shifted)


def report_of(model, **changes):
    n = changes.pop("n", 150)
    data = changes.pop("data", None) or data_of(model, n)
    return robustness_report(model, data, **({"radii": RADII} | changes))


def failed(report):
    return {check.name for check in report.checks if not check.passed}


# --- measures -------------------------------------------------------------------------------------


def test_selective_areas():
    u = np.arange(1, 9) / 10
    assert selective_accuracy_area(u, [1, 1, 1, 0, 1, 0, 1, 0]) == pytest.approx(0.819494, abs=1e-6)
    assert selective_accuracy_area([3.0, 1.0], [True, True]) == 1.0
    assert selective_accuracy_area([1.0] * 4, [1, 0, 0, 1]) == pytest.approx(0.5)
    n = 4000
    for r in (0.5, 0.2):
        right = np.arange(n) < r * n
        assert selective_accuracy_area(np.arange(n), right) == pytest.approx(
            r + r * math.log(1 / r), abs=1e-3
        )
        worst = r - (1 - r) * math.log(1 / (1 - r))
        assert selective_accuracy_area(-np.arange(n), right) == pytest.approx(worst, abs=1e-3)


def test_selective_areas_do_not_know_the_order_of_inputs():
    """Ties are worth the mean over all orders of the inputs."""
    draw = np.random.default_rng(1)
    u, right = draw.integers(0, 3, 9), draw.random(9) < 0.6
    found = []
    for _ in range(4000):
        order = draw.permutation(9)
        order = order[np.argsort(u[order], kind="stable")]
        found.append((np.cumsum(right[order]) / np.arange(1, 10)).mean())
    error = np.std(found) / np.sqrt(4000)
    assert abs(selective_accuracy_area(u, right) - np.mean(found)) < 6 * error
    again = draw.permutation(9)
    assert selective_accuracy_area(u[again], right[again]) == pytest.approx(
        selective_accuracy_area(u, right)
    )


def test_auroc_counts_pairs():
    draw = np.random.default_rng(2)
    a, b = draw.integers(0, 5, 30).astype(float), draw.integers(1, 7, 20).astype(float)
    pairs = (b[None] > a[:, None]) + 0.5 * (b[None] == a[:, None])
    assert auroc(a, b) == pytest.approx(pairs.mean())
    assert auroc(np.zeros(3), np.zeros(5)) == 0.5


def test_detection_by_hand():
    clean = View(
        np.array([True] * 20 + [False] * 2),
        np.zeros(22),
        {"total_entropy": np.r_[np.arange(20.0), 50, 50], "mutual_information": np.zeros(22)},
    )
    attacked = View(
        np.array([False] * 4 + [True] * 16 + [False] * 2),
        np.zeros(22),
        {"total_entropy": np.r_[18.9, 18.5, 7.5, 100, np.zeros(18)]},
    )
    found = evaluate._detect("total_entropy", clean, attacked, adaptive=True, confidence=0.9)
    # the 95 % quantile of 0..19 is 18.05; the two that were wrong before do not count
    assert found.caught == share_interval(3, 4, confidence=0.9)
    assert found.auroc_successful == pytest.approx((19 + 19 + 8 + 20) / 80)
    nothing = evaluate._detect("total_entropy", clean, clean, adaptive=False, confidence=0.9)
    assert nothing.caught is None
    assert nothing.auroc_successful is None
    assert nothing.auroc == 0.5


# --- the report -----------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_linear_models_are_measured_exactly(norm):
    draw = np.random.default_rng(5)
    w, x = draw.standard_normal((1, 30)), 0.4 + 0.2 * draw.random((200, 30))
    weights = torch.from_numpy(np.stack([w, 0 * w], axis=1))
    scores = ((x - 0.5) @ w.T)[:, 0]
    labels = torch.from_numpy((scores < 0).astype(int))
    labels[:20] = 1 - labels[:20]
    model = lambda x: torch.einsum("skd,nd->snk", weights, x - 0.5).log_softmax(2)  # noqa: E731
    dual = np.abs(w).sum() if norm == "linf" else np.linalg.norm(w)
    radii = tuple(np.quantile(np.abs(scores), [0.3, 0.6]) / dual)
    data = EvaluationData(torch.from_numpy(x), labels)
    report = robustness_report(model, data, radii=radii, norm=norm)
    assert report.clean_accuracy == share_interval(180, 200)
    for row in report.by_radius:
        robust = np.arange(200) >= 20
        robust &= np.abs(scores) > row.radius * dual
        assert row.accuracy == share_interval(int(robust.sum()), 200)
        assert dict(row.by_attack)["label"] == pytest.approx(robust.mean())
        for one in row.detection:
            if one.score == "mutual_information":  # one sample knows no disagreement
                assert one.auroc == 0.5
    assert report.n_samples == 1
    assert not failed(report)


def test_reports():
    model = network()
    data = data_of(model, shifted=points(60, seed=9).round())
    report = robustness_report(model, data, radii=RADII, confidence=0.9, rng=3)
    assert (report.n_inputs, report.n_shifted, report.n_samples, report.n_classes) == (
        150,
        60,
        6,
        4,
    )
    assert report.clean_accuracy == share_interval(140, 150, confidence=0.9)
    assert not failed(report)
    assert report.warnings == ()
    one, two = report.by_radius
    for row in (one, two):
        each = dict(row.by_attack)
        assert row.accuracy.estimate <= min(each.values())
        assert each["margin and targets"] <= each["noise"]
        assert len(row.detection) == 4
        found = {(one.score, one.adaptive): one for one in row.detection}
        for score in evaluate.SCORES:
            assert found[score, True].auroc < found[score, False].auroc
            assert found[score, True].caught.estimate <= found[score, False].caught.estimate
        assert row.adaptive_selective_area < row.selective_area < report.clean_selective_area
    other = pgd(
        model, data.shifted, None, radius=RADII[1], objective="low_entropy", n_restarts=3, rng=1
    )
    scores = [
        evaluate.view(model, x).scores["mutual_information"] for x in (data.inputs, other.inputs)
    ]
    assert two.shift[1].score == "mutual_information"
    assert two.shift[1].auroc < auroc(*scores)  # each score by an attack on itself
    for before, after, last in zip(report.clean_shift, one.shift, two.shift, strict=True):
        assert before.auroc > after.auroc > last.auroc
    assert two.accuracy.estimate < one.accuracy.estimate < report.clean_accuracy.estimate

    words = str(report)
    for part in (
        "6 posterior samples, 4 classes, 150 inputs; linf ball, 90% intervals",
        f"clean accuracy {report.clean_accuracy}",
        str(two.accuracy),
        "two-stage on total entropy",
        f"{two.detection[0].auroc:.3f} -> {two.detection[1].auroc:.3f}",
        "AUROC, 60 inputs",
        f"self-checks: {len(report.checks)} of {len(report.checks)} passed",
    ):
        assert part in words
    assert "WARNING" not in words


def test_rows_by_hand():
    model = network()
    data = data_of(model)
    draw = np.random.default_rng(1)
    trial = evaluate._Trial(model, data.inputs, data.labels, "linf", 8, 1, None, draw, 0.95)
    outcome = trial.attack(0.05, 1.0, False, model)
    before = trial.view(pgd(model, data.inputs, data.labels, radius=0.0))
    row = evaluate._row(0.05, outcome, before, (), trial)
    views = [trial.view(outcome.attacks[name]) for name in ("label", "two-stage on total entropy")]
    for view, area in zip(views, (row.selective_area, row.adaptive_selective_area), strict=True):
        u = np.concatenate([before.scores["total_entropy"], view.scores["total_entropy"]])
        assert area == selective_accuracy_area(u, np.concatenate([before.right, view.right]))
    fooled = np.any([attack.success.numpy() for attack in outcome.attacks.values()], axis=0)
    assert row.accuracy.estimate == (~fooled).mean()


def test_seeds_batches_and_options():
    model = network()
    report = report_of(model, rng=3)
    assert report_of(model, rng=np.random.default_rng(3)) == report
    assert report_of(model, rng=3, batch_size=150) == report
    parts = report_of(model, rng=3, batch_size=64)
    for row, other in zip(report.by_radius, parts.by_radius, strict=True):
        assert other.accuracy.estimate == pytest.approx(row.accuracy.estimate, abs=0.02)
    plain = report_of(model, targeted=False, temperature=4.0, surrogate=network(seed=5))
    names = [name for name, _ in plain.by_radius[0].by_attack]
    assert "margin" in names
    assert "margin and targets" not in names
    assert "tempered margin" in names
    assert plain.temperature == 4.0
    assert report.temperature == 1.0
    assert plain.clean_shift == ()
    assert "semantic shift" not in str(plain)
    own = report_of(model, surrogate=model)  # its own attack transfers
    moved = dict(own.by_radius[-1].by_attack)
    assert moved["transfer"] == pytest.approx(moved["margin and targets"], abs=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_sound_models_raise_no_alarm(seed):
    model = network(seed=seed, n_samples=3)
    assert not failed(report_of(model, data=data_of(model, seed=seed + 10), rng=seed))


# --- self-checks: each sees what it is for --------------------------------------------------------


def test_saturated_models_are_reported():
    report = report_of(network(scale=1e4))
    assert failed(report) == {"vanishing gradients"}
    assert "saturated" in report.warnings[0]
    assert "WARNING, vanishing gradients: " in str(report)
    assert report.temperature > 100.0  # and attacked through softer logits as well
    assert "tempered margin" in dict(report.by_radius[0].by_attack)
    assert report.by_radius[-1].accuracy.estimate < 0.2  # the attacks got through


def test_gradients_below_rounding_are_reported_before_they_are_zero():
    model = network(scale=6.0)
    data = data_of(model, wrong=0)
    share = {check.name: check.measured for check in report_of(model, data=data).checks}
    first = pgd(model, data.inputs, data.labels, radius=0.1, objective="label", random_start=False)
    zero = float((first.gradient_norms[0, 0] == 0).double().mean())
    assert share["vanishing gradients"] > zero + 0.05


def test_flat_models_are_reported():
    inner = network(scale=0.2)

    def model(x):  # steps of 1/16 that no derivative sees
        return inner(x + ((16 * x).round() / 16 - x).detach() - (x - x.detach()))

    report = report_of(model)
    assert {"flat model", "transfer", "noise", "no bound"} <= failed(report)
    for row in report.by_radius:  # what blind attacks find counts
        assert row.accuracy.estimate <= min(value for _, value in row.by_attack)
        assert row.accuracy.estimate < dict(row.by_attack)["label"]
    assert "robustness is no evidence" in str(report)


class Misled:
    """Gradients that are right for the first steps of an ascent, and reversed then."""

    def __init__(self, inner, right_steps):
        self.inner, self.right_steps, self.steps = inner, right_steps, 0

    def __call__(self, x):
        self.steps = self.steps + 1 if torch.is_grad_enabled() else 0
        if self.steps > self.right_steps:
            x = 2 * x.detach() - x
        return self.inner(x)


def test_misled_ascents_are_reported():
    inner = network(n_samples=2)
    assert {"steps", "one step"} <= failed(report_of(Misled(inner, 3), targeted=False))
    assert not failed(report_of(Misled(inner, 10**6), targeted=False))


def test_weakness_at_a_larger_radius_is_reported():
    inner = network(n_samples=2)
    clean = data_of(inner)

    def model(x):  # far from a known input, the answer is that of the input
        if len(x) != len(clean.inputs):
            return inner(x)
        far = (x - clean.inputs).abs().amax(dim=1, keepdim=True) > 0.05
        return inner(torch.where(far, clean.inputs + 0 * x, x))

    report = report_of(model, data=clean, targeted=False)
    assert "radius" in failed(report)
    assert "radius larger than 0.03" in str(report)
    assert "no bound" in failed(report)


@pytest.mark.parametrize("noise", [0.3, 1e-5])
def test_random_models_are_reported(noise):
    inner, draw = network(n_samples=2), torch.Generator().manual_seed(1)

    def model(x):
        return inner((x + noise * torch.rand(x.shape, generator=draw)).clamp(0, 1))

    assert "radius 0" in failed(report_of(model))


@pytest.mark.parametrize("harmless", [False, True])
def test_models_that_write_into_their_inputs_are_reported(harmless):
    inner = network(n_samples=2)

    def model(x):
        x.data[:, :1].mul_(0.999)
        return inner(torch.cat([0 * x[:, :1], x[:, 1:]], dim=1) if harmless else x)

    data = data_of(inner)
    kept = data.inputs.clone()
    assert "radius 0" in failed(report_of(model, data=data))
    assert torch.equal(data.inputs, kept)


def test_the_whole_cube_is_searched_in_the_euclidean_norm_too():
    """A plane 1.5 away from all inputs: beyond a unit ball, within the cube."""
    direction = torch.full((30,), 30**-0.5)

    def model(x):
        score = 20 * (1.5 - (x - 0.5) @ direction)
        return torch.stack([score, -score], dim=1).log_softmax(dim=1)[None]

    x = 0.49 + 0.02 * points(100, 30)
    data = EvaluationData(x, torch.zeros(100, dtype=torch.int64))
    report = report_of(model, data=data, norm="l2", radii=(0.5, 1.0))
    assert report.by_radius[-1].accuracy.estimate == 1.0
    assert "no bound" not in failed(report)


def test_models_that_ignore_their_inputs_are_reported():
    inner = network(n_samples=2)

    def model(x):
        bias = torch.tensor([5.0, 0.0, 0.0, 0.0])
        return (0.01 * inner(x) + bias).log_softmax(dim=2)

    report = report_of(model)
    assert failed(report) == {"no bound"}
    assert report.by_radius[-1].accuracy == report.clean_accuracy


def test_small_samples_are_reported():
    model = network()
    assert failed(report_of(model, n=30)) == {"sample size"}


def test_a_model_that_is_never_right():
    model = network(n_samples=2)
    report = report_of(model, data=data_of(model, wrong=150))
    assert report.clean_accuracy.estimate == 0.0
    assert all(one.caught is None for row in report.by_radius for one in row.detection)
    assert "nan" not in str(report)


# --- bad input ------------------------------------------------------------------------------------

MODEL = network(2)
DATA = data_of(MODEL, 8, 0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"data": (DATA.inputs, DATA.labels)}, TypeError, "data must be EvaluationData, got tuple"),
        ({"radii": ()}, ValueError, "radii must hold >= 1 increasing numbers"),
        ({"radii": (0.1, 0.1)}, ValueError, "radii must hold >= 1 increasing numbers"),
        ({"radii": (0.0, 0.1)}, ValueError, r"radii\[0\] must be finite and > 0, got 0.0"),
        ({"norm": "l1"}, ValueError, "norm must be one of"),
        ({"n_steps": 3}, ValueError, "n_steps must be an integer >= 4, got 3"),
        ({"n_restarts": 0}, ValueError, "n_restarts must be an integer >= 1"),
        ({"temperature": -1.0}, ValueError, "temperature must be finite and > 0"),
        ({"confidence": 1.0}, ValueError, "confidence must be finite and > 0 and < 1"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1"),
        ({"rng": None}, TypeError, "rng must be"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"data": DATA, "radii": RADII} | change
    with pytest.raises(error, match=message):
        robustness_report(MODEL, arguments.pop("data"), **arguments)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ((DATA.inputs + 1, DATA.labels), ValueError, r"inputs must be in \[0, 1\]"),
        ((DATA.inputs, DATA.labels[:3]), ValueError, r"labels must have shape \(8,\)"),
        ((DATA.inputs, DATA.labels, DATA.inputs - 1), ValueError, r"shifted must be in \[0, 1\]"),
        (
            (DATA.inputs, DATA.labels, points(3, 4)),
            ValueError,
            r"shifted must have shape \(n, 20\)",
        ),
        ((DATA.inputs, DATA.labels, DATA.inputs.double()), ValueError, "dtype torch.float32"),
        ((DATA.inputs, DATA.labels, [1]), TypeError, "shifted must be a Tensor, got list"),
    ],
)
def test_bad_data(fields, error, message):
    with pytest.raises(error, match=message):
        EvaluationData(*fields)


def test_labels_beyond_the_classes():
    with pytest.raises(ValueError, match="labels must be below the number of classes 4, got 4"):
        robustness_report(MODEL, EvaluationData(DATA.inputs, DATA.labels + 4 - DATA.labels))


def test_attacks_of_the_report_are_those_of_the_room():
    """A single attack by hand gives what the report says of it."""
    model = network(n_samples=2)
    data = data_of(model)
    row = robustness_report(model, data, radii=(0.05,), rng=3).by_radius[0]
    found = pgd(model, data.inputs, data.labels, radius=0.05, objective="label", rng=8)
    assert dict(row.by_attack)["label"] == pytest.approx(
        1 - float(found.success.double().mean()), abs=0.06
    )
