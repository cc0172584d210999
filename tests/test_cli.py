"""The command line, in-process and as installed."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from fragile_learning import datasets
from fragile_learning.cli import main


def test_list_names_every_data_set(capsys, tmp_path):
    assert main(["data", "list", "--cache-dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(datasets.names())


def test_verify_reads_the_shipped_sets(capsys, tmp_path):
    assert main(["data", "verify", "--cache-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1797 images verified" in out
    assert "3000 images verified" in out


def test_known_errors_are_one_line(capsys, tmp_path):
    for arguments in (
        ["data", "import", "no-such-set", str(tmp_path)],
        ["data", "import", "mnist-10k", str(tmp_path / "nowhere"), "--cache-dir", str(tmp_path)],
    ):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["data", "--help"], ["data", "import", "--help"]]
)
def test_installed_command_explains_itself(arguments):
    program = Path(sysconfig.get_path("scripts")) / "fragile-learning"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: fragile-learning")
