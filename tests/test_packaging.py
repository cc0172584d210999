"""What is installed: the wheel, its dependencies, and the papers that travel with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fragile_learning
import pins

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"pytorch-cpu": "torch"}


def named(lines) -> dict[str, str]:
    """Canonical name and version bounds of requirement lines."""
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): str(r.specifier) for r in requirements}


def environment(text: str) -> tuple[dict[str, str], str]:
    """What environment.yml names, apart from Python and pip, and its Python version."""
    lines = yaml.safe_load(text)["dependencies"]
    (pip_lines,) = [line["pip"] for line in lines if isinstance(line, dict)]
    conda = named(
        line.replace("=", "==", 1) if line.startswith("python=") else line
        for line in lines
        if isinstance(line, str)
    )
    conda = {CONDA_NAMES.get(name, name): bounds for name, bounds in conda.items()}
    del conda["pip"]
    python = conda.pop("python").removeprefix("==")
    assert pip_lines[-1] == "--editable ."
    pip = named(pip_lines[:-1])
    assert not conda.keys() & pip.keys()
    return conda | pip, python


def test_environment_and_pyproject_name_the_same_things():
    found, python = environment((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert found == {canonicalize_name(r.name): str(r.specifier) for r in declared()}
    assert f">={python}" == PROJECT["requires-python"]


@pytest.mark.parametrize(("old", "new"), [("  - tqdm>=4.66\n", ""), ("numpy>=1.26", "numpy>=1.20")])
def test_the_environment_comparison_sees_a_difference(old, new):
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert old in text
    found, _ = environment(text.replace(old, new))
    assert found != {canonicalize_name(r.name): str(r.specifier) for r in declared()}


def declared() -> list[Requirement]:
    return pins.declared(ROOT / "pyproject.toml")


def test_constraints_pin_every_dependency_within_its_bounds():
    pinned = pins.pinned(ROOT / "constraints.txt")
    for requirement in declared():
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement
    assert pins.closure(declared()).keys() - pinned.keys() == set()


def test_constraints_hold_nothing_but_pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = pins.pinned(ROOT / "constraints.txt")
    assert len([line for line in lines if not line.startswith("#")]) == len(pinned)
    assert not any("+" in version or "/" in version for version in pinned.values())


def test_jupyter_book_stays_below_version_two():
    (book,) = [r for r in declared() if r.name == "jupyter-book"]
    assert not book.specifier.contains("2.0")
    assert book.specifier.contains("1.0.4.post1")


def test_citation_file_is_valid_and_names_this_version():
    schema = json.loads((ROOT / "tests/schemas/cff-1.2.0.schema.json").read_text(encoding="utf-8"))
    # Read without a date type: the schema wants dates as text.
    citation = yaml.load((ROOT / "CITATION.cff").read_text(encoding="utf-8"), yaml.BaseLoader)
    jsonschema.validate(citation, schema)
    assert citation["version"] == fragile_learning.__version__
    assert citation["license"] == PROJECT["license"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**citation, "licence": "MIT"}, schema)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_the_package_its_data_its_archive_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    information = f"fragile_learning-{fragile_learning.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"fragile_learning", information}
    assert "fragile_learning/py.typed" in names
    assert {f"{information}/licenses/{name}" for name in ("LICENSE", "LICENSE-TEXT")} <= names
    assert not [name for name in names if "__pycache__" in name]
    for folder, inside in [("src/fragile_learning", ""), ("results", "_results/")]:
        files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        wanted = {
            f"fragile_learning/{inside}{p.relative_to(ROOT / folder).as_posix()}" for p in files
        }
        assert wanted <= names


@pytest.mark.slow
def test_chapter_runs_from_the_wheel_alone(wheel, tmp_path):
    """What a hosted notebook does: install the package, run one .ipynb, no checkout in sight."""
    notebooks = sorted((ROOT / "book").rglob("*.ipynb"), key=lambda p: -p.stat().st_size)
    assert notebooks, "book holds no notebook"
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER", "VIRTUAL"))
    }
    clean["IPYTHONDIR"] = str(tmp_path / "ipython")

    def run(*command: str | Path, cwd: Path = tmp_path) -> str:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=clean,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--constraint", constraints, wheel, "ipykernel", "nbclient")
    where = run(python, "-c", "import fragile_learning; print(fragile_learning.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path)
    for absent in ("torch", "myst_nb", "sphinx"):
        run(python, "-c", f"import importlib.util as u; assert u.find_spec({absent!r}) is None")

    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(notebooks[0], alone)
    run(
        python.with_name("jupyter-execute"),
        "--inplace",
        "--timeout=120",
        notebooks[0].name,
        cwd=alone,
    )
    done = json.loads((alone / notebooks[0].name).read_text(encoding="utf-8"))
    code = [cell for cell in done["cells"] if cell["cell_type"] == "code" and cell["source"]]
    assert code
    assert all(cell["execution_count"] for cell in code)
