"""What the page on scaling out shows can be run as it stands."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml

from fragile_learning import cluster
from fragile_learning.cli import REVISION_VARIABLE, _parser, _where, all_experiments

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "reference" / "scale_out.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", PAGE)


def blocks(language):
    return [text for kind, text in BLOCKS if kind == language]


def commands(program):
    """The lines of the page's shell blocks that start a program, and those of its manifest."""
    whole = (text.replace("\\\n", "") for text in blocks("bash"))
    lines = [line for text in whole for line in text.splitlines()]
    found = [shlex.split(line) for line in lines]
    for document in documents():
        found += [
            list(map(str, [*container.get("command", []), *container.get("args", [])]))
            for container in containers(document)
        ]
    return [words for words in found if words and words[0] == program]


def documents():
    return [one for text in blocks("yaml") for one in yaml.safe_load_all(text)]


def containers(document):
    spec = document["spec"]
    if document["kind"] == "DaskCluster":
        pods = [spec["worker"]["spec"], spec["scheduler"]["spec"]]
    elif document["kind"] == "Job":
        pods = [spec["template"]["spec"]]
    else:
        pods = []
    return [container for pod in pods for container in pod["containers"]]


def unknown_names(source):
    """Names that a block imports, or keywords it calls with, and that are not there."""
    tree = ast.parse(source)
    found, origin = [], {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if importlib.util.find_spec(node.module.split(".")[0]) is None:
                continue
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    found.append(f"{node.module}.{alias.name}")
                origin[alias.asname or alias.name] = getattr(module, alias.name, None)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = origin.get(node.func.id)
            known = getattr(called, "__dataclass_fields__", None)
            if known is not None:
                found += [k.arg for k in node.keywords if k.arg not in known]
    return found


def dask_options(name):
    """Options of a dask command, as installed."""
    pytest.importorskip("distributed")
    command = importlib.import_module(f"distributed.cli.dask_{name}").main
    return {option for parameter in command.params for option in parameter.opts}


def test_the_commands_are_understood():
    found = commands("fragile-learning")
    assert len(found) >= 6
    names = {*all_experiments(), *(name.split("/")[0] for name in all_experiments()), "all"}
    for words in found:
        chosen = _parser().parse_args(words[1:])
        if chosen.command == "run":
            assert chosen.name in names
        if chosen.command in {"run", "results"}:
            assert _where(chosen).backend == (chosen.backend or "serial")


def test_the_options_of_dask_exist():
    found = commands("dask")
    assert len(found) == 4
    for words in found:
        known = dask_options(words[1])
        assert {word for word in words[2:] if word.startswith("--")} <= known
    (script,) = [text for text in blocks("python") if "SLURMCluster" in text]
    (extra,) = re.findall(r"worker_extra_args=(\[.*?\])", script)
    options = {word for word in ast.literal_eval(extra) if word.startswith("--")}
    assert options
    assert options <= dask_options("worker")


@pytest.mark.parametrize("source", blocks("python"))
def test_the_python_blocks_use_what_exists(source):
    compile(source, "page", "exec")
    assert unknown_names(source) == []


def test_the_check_sees_a_name_that_does_not_exist():
    assert unknown_names("from fragile_learning.cluster import Clutter") == [
        "fragile_learning.cluster.Clutter"
    ]
    wrong = "from fragile_learning.cluster import Cluster\nCluster('a', patience=3)"
    assert unknown_names(wrong) == ["patience"]


def test_the_keywords_of_slurm_exist():
    jobqueue = pytest.importorskip("dask_jobqueue")  # not among our requirements
    (script,) = [text for text in blocks("python") if "SLURMCluster" in text]
    (call,) = [
        node
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SLURMCluster"
    ]
    for keyword in call.keywords:
        assert f"{keyword.arg} :" in jobqueue.SLURMCluster.__doc__ or f"{keyword.arg}:" in (
            jobqueue.SLURMCluster.__doc__
        )


def test_the_manifest_holds_together():
    dask, volume, job = documents()
    assert [dask["kind"], volume["kind"], job["kind"]] == [
        "DaskCluster",
        "PersistentVolumeClaim",
        "Job",
    ]
    assert dask["apiVersion"] == "kubernetes.dask.org/v1"
    name = dask["metadata"]["name"]
    assert dask["spec"]["scheduler"]["service"]["selector"]["dask.org/cluster-name"] == name
    # the operator names the service after the cluster
    (client,) = containers(job)
    assert f"tcp://{name}-scheduler:8786" in client["args"]
    pod = job["spec"]["template"]["spec"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]
    images = {container["image"] for document in documents() for container in containers(document)}
    assert len(images) == 1
    (build,) = commands("docker")
    assert build[build.index("--tag") + 1] in images
    worker, _ = containers(dask)
    assert "$(DASK_WORKER_NAME)" in worker["args"]
    for document in (dask, job):
        variables = {v["name"]: v["value"] for v in containers(document)[0]["env"]}
        assert variables["OMP_NUM_THREADS"] == "1"
    ports = {port["name"] for port in containers(dask)[1]["ports"]}
    service = dask["spec"]["scheduler"]["service"]["ports"]
    assert {port["targetPort"] for port in service} == ports


def test_an_image_knows_its_revision():
    (image,) = blocks("dockerfile")
    (argument,) = re.findall(r"^ARG (\w+)$", image, re.MULTILINE)
    assert f"ENV {REVISION_VARIABLE}=${argument}\n" in image
    (build,) = commands("docker")
    assert build[build.index("--build-arg") + 1].startswith(f"{argument}=")


def test_the_numbers_on_the_page_are_those_of_the_code():
    defaults = cluster.Cluster("tcp://a:1")
    assert f"`--timeout SECONDS` ({defaults.timeout:g})" in PAGE
    assert f"At most {defaults.window:,} points" in PAGE
    assert defaults.retries == 1
    assert "once more, alone" in PAGE
    config = pytest.importorskip("dask.config")
    importlib.import_module("distributed")
    assert config.get("distributed.scheduler.allowed-failures") == 3
    assert config.get("distributed.scheduler.worker-ttl") == "5 minutes"
    environment = config.get("distributed.nanny.pre-spawn-environ")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        assert environment[name] == 1
