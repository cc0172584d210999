"""The rules of the house that no linter knows: imports stay light, src/ is a closed world."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "fragile_learning"
EDGE = {"cli.py"}
FRONT_DOORS = ["fragile_learning", "fragile_learning.regression.theory"]
HEAVY = ["IPython", "dask", "joblib", "matplotlib", "pandas", "pooch", "sklearn", "torch", "tqdm"]


def imported_by(statement: str) -> tuple[float, set[str]]:
    """CPU seconds of a statement in a fresh interpreter, and the top-level modules it leaves."""
    program = (
        "import json, sys, time\n"
        "start = time.process_time()\n"
        f"{statement}\n"
        "seconds = time.process_time() - start\n"
        "print(json.dumps([seconds, sorted({name.split('.')[0] for name in sys.modules})]))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


@pytest.mark.parametrize("module", FRONT_DOORS)
def test_front_doors_import_nothing_heavy(module):
    _, modules = imported_by(f"import {module}")
    assert "fragile_learning" in modules
    assert not modules & set(HEAVY)


def test_the_import_check_sees_a_heavy_import():
    _, modules = imported_by("import fragile_learning, pandas")
    assert modules & set(HEAVY) == {"pandas"}


@pytest.mark.parametrize("module", FRONT_DOORS)
def test_front_doors_open_in_half_a_second(module):
    # CPU time, and the best of five: other processes on the machine do not count.
    assert min(imported_by(f"import {module}")[0] for _ in range(5)) < 0.5


# Reading any of these makes a result depend on more than its arguments.
CLOCK = {
    f"time.{name}{suffix}"
    for name in ("time", "perf_counter", "monotonic", "process_time", "thread_time")
    for suffix in ("", "_ns")
}
CLOCK |= {f"time.{name}" for name in ("localtime", "gmtime", "ctime", "strftime", "asctime")}
CLOCK |= {f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")}
CLOCK |= {"datetime.date.today"}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.urandom"}
NUMPY_RANDOM = {"Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox", "default_rng"}
ENTROPY = {"random", "secrets", "uuid.uuid1", "uuid.uuid4"}
TORCH_GLOBAL = {f"torch.{name}" for name in ("manual_seed", "seed", "initial_seed", "random.seed")}
UNSEEDED = {"numpy.random.default_rng", "numpy.random.SeedSequence", "torch.Generator().seed"}
DRAWS = {
    f"torch.{name}"
    for name in ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")
}


def breaches(source: str) -> list[str]:
    """Reads of the clock, the environment or global random state, as ``line: what``."""
    tree = ast.parse(source)
    meaning: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                meaning[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def dotted(node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return meaning.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = dotted(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    found = []
    for node in ast.walk(tree):
        name = dotted(node)
        top = name.split(".")[0]
        if name in CLOCK | ENVIRONMENT | ENTROPY | TORCH_GLOBAL or top in ENTROPY:
            found.append(f"{node.lineno}: {name}")
        match = re.fullmatch(r"numpy\.random\.(\w+)", name)
        if match and match[1] not in NUMPY_RANDOM:
            found.append(f"{node.lineno}: {name}")
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            first = node.args[0] if node.args else None
            if called in UNSEEDED and not node.keywords and _is_nothing(first):
                found.append(f"{node.lineno}: {called} without a seed")
            if called in DRAWS and not any(k.arg == "generator" for k in node.keywords):
                found.append(f"{node.lineno}: {called} without a generator")
    return found


def _is_nothing(argument: ast.AST | None) -> bool:
    return argument is None or (isinstance(argument, ast.Constant) and argument.value is None)


def test_src_reads_no_clock_no_environment_and_no_global_random_state():
    files = [path for path in sorted(SRC.rglob("*.py")) if path.name not in EDGE]
    assert len(files) > 5
    found = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := breaches(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.perf_counter()",
        "from time import monotonic as tick\ntick()",
        "import datetime as dt\ndt.datetime.now()",
        "from datetime import date\ndate.today()",
        "import os\nos.environ['HOME']",
        "from os import getenv\ngetenv('HOME')",
        "import numpy as np\nnp.random.seed(1)",
        "import numpy\nnumpy.random.randn(3)",
        "from numpy.random import randn\nrandn(3)",
        "import numpy as np\nnp.random.default_rng()",
        "import numpy as np\nnp.random.default_rng(None)",
        "import numpy as np\nnp.random.SeedSequence()",
        "import random\nrandom.random()",
        "from random import shuffle\nshuffle([])",
        "import uuid\nuuid.uuid4()",
        "import torch\ntorch.manual_seed(1)",
        "import torch\ntorch.randn(3)",
        "def inside():\n    import time\n    return time.time()",
    ],
)
def test_the_closed_world_check_sees_a_breach(source):
    assert breaches(source)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.random.default_rng(1).normal()",
        "import numpy as np\ndef f(rng: np.random.Generator) -> None: ...",
        "import numpy as np\nnp.random.SeedSequence(entropy=1, spawn_key=(2,))",
        "import torch\ntorch.randn(3, generator=g)",
        "import os\nos.replace('a', 'b')",
        "def f(time):\n    return time.time",
    ],
)
def test_the_closed_world_check_lets_honest_code_pass(source):
    assert breaches(source) == []


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


# In pieces, so that this file does not name them either.
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted",
    "registry." + "npmjs",
    "download." + "pytorch",
    "deb." + "debian",
    "conda." + "anaconda",
]


def named_hosts(text: str) -> list[str]:
    return [host for host in HOSTS if host in text.lower()]


def test_no_file_names_a_package_host():
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content and (hosts := named_hosts(content.decode("utf-8", "replace"))):
            found[str(path.relative_to(ROOT))] = hosts
    assert found == {}
    assert named_hosts("https://" + "PyPI" + ".org/simple") == [HOSTS[0]]


def test_every_public_module_is_on_a_page_of_the_library():
    package = ROOT / "src" / "fragile_learning"
    modules = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
        if not any(part.startswith("_") for part in path.relative_to(package).parts)
    }
    pages = [
        page.read_text(encoding="utf-8")
        for page in (ROOT / "book" / "reference" / "api").glob("*.md")
    ]
    listed = re.findall(r"(?m)^\.\. automodule:: (\S+)$", "\n".join(pages))
    assert sorted(listed) == sorted(modules)
