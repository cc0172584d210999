"""The hash of what a function depends on: what changes it, what does not, and where it fails."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.provenance import SourceTree, code_hash, dependencies
from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import z_bound
from fragile_learning.sweeps import point_stream

FILES = {
    "__init__.py": "",
    "laws.py": '''
        """Laws."""
        from __future__ import annotations

        import math

        SCALE = 2.0  # of the law
        TABLE = {"a": 1}
        TABLE["b"] = 2
        UNUSED = 5


        def root(x: float) -> float:
            """Root."""
            return math.sqrt(x) * SCALE


        def helper(x, *, power=SCALE):
            return root(x) ** power


        def unrelated(x):
            return x + UNUSED


        class Law:
            """A law."""

            factor: float = 1.0

            def at(self, x):
                """Value."""
                return helper(x) * self.factor * TABLE["a"]


        class Special(Law):
            pass
        ''',
    "lazy.py": """
        from demo.laws import root as squared


        def late(x):
            return squared(x) + 1


        def other(x):
            return x


        def third(x):
            return x
        """,
    "parts/deep.py": """
        def deepest(x):
            return x - 1
        """,
    "points.py": '''
        """Points."""
        from __future__ import annotations

        import functools
        import importlib
        from typing import TYPE_CHECKING

        import demo.laws
        from demo import laws
        from demo.laws import Special

        if TYPE_CHECKING:
            from demo.lazy import third


        def decorate(function):
            @functools.wraps(function)
            def inner(*arguments, **named):
                return function(*arguments, **named) * 3

            return inner


        def _deep():
            return importlib.import_module("demo.parts.deep")


        def _by_name(name):
            return importlib.import_module(f"demo.{name}")


        @decorate
        def point(*, x: third, rng):
            """One point."""
            from demo.lazy import late

            y: float = Special().at(x)
            lazy = importlib.import_module("demo.lazy")
            UNUSED = [laws for laws in range(3)]
            return {"y": y, "z": late(x), "w": _deep().deepest(x), "u": lazy.other(x)}


        def by_name(x):
            return _by_name("lazy").third(x)


        def by_attribute(x):
            return demo.laws.unrelated(x)


        def whole(x, name):
            return getattr(laws, name)(x)


        def renamed(name):
            return _by_name(name)
        ''',
}


GOLDEN = "4f8f6b77575f8eeea46aa4102b11e738c975f84b4cc1f98e4c50798634c02a28"


class Package:
    """A package in a folder, whose files can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "demo"
        for name, text in FILES.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def hash(self, name="point", module="demo.points"):
        return SourceTree({"demo": self.folder}).code_hash([(module, name)])

    def reached(self, name="point", module="demo.points"):
        return SourceTree({"demo": self.folder}).dependencies([(module, name)])

    def change(self, file, old, new):
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path)


def test_all_that_a_function_names_is_reached(package):
    assert package.reached() == (
        "demo.laws:Law",
        "demo.laws:SCALE",
        "demo.laws:Special",
        "demo.laws:TABLE",
        "demo.laws:helper",
        "demo.laws:root",
        "demo.lazy:late",
        "demo.lazy:other",
        "demo.parts.deep:*",
        "demo.parts.deep:deepest",
        "demo.points:_deep",
        "demo.points:decorate",
        "demo.points:point",
    )


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("points.py", '"y": y', '"y": y + 1'),
        ("laws.py", "math.sqrt(x) * SCALE", "math.sqrt(x) / SCALE"),  # three levels down
        ("laws.py", "SCALE = 2.0", "SCALE = 2.1"),  # a constant, and a default argument
        ("laws.py", 'TABLE["b"] = 2', 'TABLE["a"] = 2'),  # a constant that is changed in place
        ("laws.py", "* self.factor", "+ self.factor"),  # a method of a base class
        ("laws.py", "factor: float = 1.0", "factor: float = 1.5"),
        ("laws.py", "class Special(Law):", "class Special(Law, object):"),
        ("lazy.py", "squared(x) + 1", "squared(x) + 2"),  # imported inside the function
        ("lazy.py", "def other(x):\n    return x", "def other(x):\n    return -x"),
        ("lazy.py", "import root as squared", "import helper as squared"),  # another meaning
        ("parts/deep.py", "x - 1", "x - 2"),  # a module that a function returns
        ("laws.py", "import math\n", "import cmath as math\n"),  # another library's function
        ("points.py", "* 3", "* 4"),  # a decorator
        ("points.py", "(*, x: third, rng)", "(*, x: third = 1, rng)"),
    ],
)
def test_a_change_that_it_can_reach_changes_the_hash(package, file, old, new):
    before = package.hash()
    package.change(file, old, new)
    assert package.hash() != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("laws.py", "  # of the law", "  # of all laws"),
        ("laws.py", '"""Root."""', '"""Square root."""'),
        ("laws.py", '    """A law."""\n', ""),
        ("laws.py", "(x: float) -> float:", "(x: int):"),
        ("laws.py", "UNUSED = 5", "UNUSED = 6"),
        ("laws.py", "return x + UNUSED", "return x - UNUSED"),
        ("lazy.py", "def third(x):\n    return x", "def third(x):\n    return -x"),
        ("points.py", "y: float = Special", "y = Special"),
        ("points.py", "x: third", "x"),  # the annotation alone names it
        ("points.py", "return demo.laws.unrelated(x)", "return 1"),
    ],
)
def test_a_change_that_it_cannot_reach_does_not(package, file, old, new):
    before = package.hash()
    package.change(file, old, new)
    assert package.hash() == before


def test_what_is_found_by_its_name_at_run_time_counts_as_a_whole(package):
    assert {"demo.lazy:third", "demo.lazy:other"} < set(package.reached("by_name"))
    assert not any("parts" in name for name in package.reached("by_name"))
    assert "demo.laws:UNUSED" in package.reached("whole")  # getattr(module, ...)
    assert "demo.parts.deep:deepest" in package.reached("renamed")  # any module of the package
    assert package.reached("by_attribute") == (
        "demo.laws:UNUSED",
        "demo.laws:unrelated",
        "demo.points:by_attribute",
    )


def test_what_is_not_there_is_named(package, tmp_path):
    with pytest.raises(ValueError, match="no definition of 'none' in the sources of module 'demo"):
        package.hash("none")
    with pytest.raises(ValueError, match="no definition of 'point' in the sources of module 'x'"):
        package.hash("point", "x")
    with pytest.raises(FileNotFoundError, match="no sources at"):
        SourceTree({"demo": tmp_path / "nowhere"})


def test_the_hash_is_a_constant_of_the_sources(package):
    """The same in every process, on every machine, in every version of Python."""
    assert package.hash() == GOLDEN


# --- functions that run -----------------------------------------------------------------------


def scaled(factor, *, law=None):
    def judge(x, offset=1):
        return factor * x + offset + (0 if law is None else law(x))

    return judge


def test_a_closure_counts_with_what_it_holds():
    values = [2, 2.0, "2", None, (2, 3), [2, 3], {"a": 2}, {2, 3}, frozenset({3}), Path("a"), b"2"]
    values += [np.arange(3), np.arange(3.0), np.float32(2), Spectrum.isotropic(3), z_bound]
    values += [Spectrum.isotropic(4), Spectrum, functools.partial(z_bound, 2), scaled(1), scaled(2)]
    values += [np.sin, np.cos, dict, re.compile("a"), re.compile("b")]
    hashes = [code_hash(scaled(value)) for value in values]
    assert len(set(hashes)) == len(values)
    assert hashes == [code_hash(scaled(value)) for value in values]
    assert code_hash(scaled({"a": 1, "b": 2})) == code_hash(scaled({"b": 2, "a": 1}))
    assert any("z_bound" in name for name in dependencies(scaled(z_bound)))


@pytest.mark.parametrize("value", [object(), np.random.default_rng(1), iter(())])
def test_a_value_without_a_text_of_its_own_is_refused(value):
    with pytest.raises(TypeError, match="has no text that is the same in every process"):
        code_hash(scaled(value))


def turns():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    return even


def not_yet(bound=False):
    def judge():
        return value

    if bound:
        value = 1
    return judge


def test_values_that_end_nowhere_or_are_not_there_are_refused():
    endless = []
    endless.append(endless)
    for function in (turns(), scaled(endless)):
        with pytest.raises(TypeError, match="carries a value that contains itself"):
            code_hash(function)
    with pytest.raises(TypeError, match="judge carries a variable that has no"):
        code_hash(not_yet())
    assert code_hash(not_yet(bound=True)) != code_hash(scaled(1))


def test_partial_objects_methods_and_classes():
    one, two = functools.partial(z_bound, 1e-6), functools.partial(z_bound, 1e-7)
    assert len({code_hash(one), code_hash(two), code_hash(z_bound)}) == 3
    small, large = Scale(3), Scale(4)
    assert code_hash(small.at) != code_hash(large.at)
    assert code_hash(small.at) == code_hash(Scale(3).at)
    assert code_hash(Spectrum) == code_hash(Spectrum.power_law.__func__)


@dataclasses.dataclass(frozen=True)
class Scale:
    factor: int

    def at(self, x):
        return self.factor * x


def test_functions_of_a_test_are_followed_into_the_package():
    assert any(name.endswith("statistics:z_bound") for name in dependencies(uses_the_package))
    assert code_hash(uses_the_package) != code_hash(scaled)
    assert code_hash(uses_the_package, scaled) != code_hash(uses_the_package)


def uses_the_package(x):
    return z_bound(x)


@pytest.mark.parametrize("value", [3, "text", len])
def test_only_functions_of_known_sources_have_a_hash(value):
    with pytest.raises((TypeError, ValueError), match=r"must be a function|cannot be read"):
        code_hash(value)
    with pytest.raises(ValueError, match="at least one function"):
        code_hash()


PROGRAM = """
import json
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.provenance import code_hash
experiments = [code_hash(one.point) for one in all_experiments().values()]
print(json.dumps(experiments + [code_hash(claim.judge) for claim in all_claims()]))
"""


def test_every_experiment_and_every_judge_has_one_alike_in_every_process():
    found = [code_hash(one.point) for one in all_experiments().values()]
    found += [code_hash(claim.judge) for claim in all_claims()]
    assert len(set(found)) > 0.8 * len(found)
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "ignore", "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src")},
    )
    assert done.stdout.strip() == str(found).replace("'", '"')


def test_no_torch_is_needed():
    program = PROGRAM + "import sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, check=True)


def test_a_point_reaches_its_law_its_simulator_and_the_data_sets():
    point = all_experiments()["regression/kernel-ridge"].point
    reached = dependencies(point, point_stream)
    assert "fragile_learning.sweeps:point_stream" in reached
    assert any(name.startswith("fragile_learning.regression.kernels:") for name in reached)
    assert any(name.startswith("fragile_learning.datasets:") for name in reached)
    assert not any(".figures" in name or ".claims" in name for name in reached)


def test_a_judge_reaches_the_rule_that_compares():
    claim = next(claim for claim in all_claims() if claim.id == "REG-1")
    reached = dependencies(claim.judge)
    assert {f"fragile_learning.claims:{name}" for name in ("compare", "FALSE_ALARM")} < set(reached)


def test_a_trained_network_reaches_its_training_step():
    point = all_experiments()["regression/two-layer-networks"].point
    assert any("training" in name for name in dependencies(point))


def test_the_package_can_be_followed_without_being_imported(tmp_path):
    root = Path(importlib.util.find_spec("fragile_learning").origin).parent
    point = all_experiments()["regression/kernel-ridge"].point
    tree = SourceTree({"fragile_learning": root})
    keys = [(one.__module__, one.__qualname__) for one in (point, point_stream)]
    assert tree.code_hash(keys) == code_hash(point, point_stream)
