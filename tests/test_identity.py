"""Owner, name and branch of the repository are written once; everything else follows."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

import identity

ROOT = Path(__file__).resolve().parents[1]


NEW = identity.Identity(owner="Some-Body", name="other.book", branch="trunk")


def check(root: Path) -> int:
    return identity.main(["--check", "--root", str(root)])


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of all files that name the repository."""
    for path in identity.rewritten(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def rename(root: Path, new: identity.Identity) -> None:
    """Change the one place."""
    path = root / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    block = (
        f'[tool.fragile-learning]\nowner = "{new.owner}"\nname = "{new.name}"\n'
        f'branch = "{new.branch}"\n'
    )
    text, count = re.subn(
        r'\[tool\.fragile-learning\]\nowner = ".*"\nname = ".*"\nbranch = ".*"\n', block, text
    )
    assert count == 1
    path.write_text(text, encoding="utf-8")


def stated(root: Path) -> dict[str, object]:
    """What each file says, read by its own format rather than by the script's patterns."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    readme = (root / "README.md").read_text(encoding="utf-8")
    pages = "".join(p.read_text(encoding="utf-8") for p in sorted((root / "book").rglob("*.md")))
    twins = "".join(p.read_text(encoding="utf-8") for p in sorted((root / "book").rglob("*.ipynb")))
    workflows = [
        yaml.safe_load(p.read_text(encoding="utf-8"))
        for p in sorted((root / ".github" / "workflows").glob("*.yml"))
    ]
    triggers = [workflow[True] for workflow in workflows]  # YAML reads the key `on` as True
    install = r"git\+(https://github\.com/[^@\s]+@[^\"'\\\s]+)"
    return {
        "repository": {project["urls"]["Repository"], citation["repository-code"]}
        | {config["repository"]["url"], *re.findall(r"git clone (\S+)", readme)},
        "site": {project["urls"]["Homepage"], citation["url"], config["html"]["baseurl"]}
        | {config["sphinx"]["config"]["ogp_site_url"]},
        "branch": {config["repository"]["branch"]}
        | {b for t in triggers for b in t.get("push", {}).get("branches", [])}
        | set(re.findall(r"badge\.svg\?branch=([\w.-]+)", readme)),
        "install in README": set(re.findall(install, readme)),
        "install in pages": set(re.findall(install, pages)),
        "install in twins": set(re.findall(install, twins)),
        "colab": set(re.findall(r"colab\.research\.google\.com/github/(\S+?)/book/", readme)),
        "folder of the clone": set(re.findall(r"git clone \S+ && cd (\S+)", readme)),
    }


def expected(new: identity.Identity) -> dict[str, object]:
    install = {f"{new.repository}@{new.branch}"}
    return {
        "repository": {new.repository},
        "site": {new.site},
        "branch": {new.branch},
        "install in README": install,
        "install in pages": install,
        "install in twins": install,
        "colab": {f"{new.slug}/blob/{new.branch}"},
        "folder of the clone": {new.name},
    }


def test_every_file_agrees_with_pyproject():
    assert check(ROOT) == 0
    assert stated(ROOT) == expected(identity.Identity.read(ROOT))


def test_a_new_identity_reaches_every_file(copy):
    old = identity.Identity.read(copy)
    rename(copy, NEW)
    assert check(copy) == 1
    assert identity.main(["--write", "--root", str(copy)]) == 0
    assert check(copy) == 0
    assert stated(copy) == expected(NEW)
    traces = re.compile(rf"github\.com/{old.slug}\b|/gh/{old.slug}\b|{re.escape(old.site)}")
    stale = {
        str(path.relative_to(copy)): traces.findall(path.read_text(encoding="utf-8"))
        for path in copy.rglob("*")
        if path.is_file()
    }
    assert {name: found for name, found in stale.items() if found} == {}


def test_there_and_back_changes_nothing(copy):
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    old = identity.Identity.read(copy)
    for new in (NEW, old):
        rename(copy, new)
        identity.main(["--write", "--root", str(copy)])
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize(
    ("name", "pattern", "wrong"),
    [
        ("_config.yml", "branch: main", "branch: master"),
        ("_config.yml", r"baseurl: https://[\w-]+", "baseurl: https://somebody"),
        ("CITATION.cff", r"github\.com/[\w-]+", "github.com/somebody"),
        ("README.md", r"git clone https://github\.com/[\w-]+", "git clone https://github.com/x"),
        ("book/reference/data.md", r"(fragile-learning)@main", r"\1@master"),
        (".github/workflows/book.yml", r"branches: \[main", "branches: [master"),
    ],
)
def test_a_disagreement_is_named(copy, capsys, name, pattern, wrong):
    path = copy / name
    text, count = re.subn(pattern, wrong, path.read_text(encoding="utf-8"), count=1)
    assert count == 1
    path.write_text(text, encoding="utf-8")
    assert check(copy) == 1
    assert name in capsys.readouterr().err


def test_no_other_file_names_the_repository():
    """An address that the script does not know would stay behind."""
    known = set(identity.rewritten(ROOT))
    pattern = re.compile(re.escape(identity.Identity.read(ROOT).slug) + r"(?![\w-])")
    folders = ("src", "tests", "scripts", "benchmarks", "results", ".ci")
    found = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".json", ".yml", ""} and path.is_file()
        if path not in known and pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_page_may_link_to_repositories_of_others(copy):
    path = copy / "book" / "index.md"
    elsewhere = "[another](https://github.com/somebody/theirs/blob/dev/x.py)\n"
    path.write_text(path.read_text(encoding="utf-8") + elsewhere, encoding="utf-8")
    rename(copy, NEW)
    identity.main(["--write", "--root", str(copy)])
    assert elsewhere in path.read_text(encoding="utf-8")
