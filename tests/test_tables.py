"""Tables come back as they went in, or are refused by name."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fragile_learning import tables
from fragile_learning.tables import (
    Manifest,
    MissingTableError,
    TableError,
    archive_path,
    canonical_json,
    code_structure,
    configuration_hash,
    manifest_path,
    read_manifest,
    read_table,
    source_hash,
    write_atomically,
    write_table,
)


def a_manifest(**changes):
    fields = {
        "name": "room/a-table",
        "description": "A table.",
        "tier": "quick",
        "configuration": {"points": [{"x": 1}], "version": 1},
        "seed": 3,
        "versions": {"python": "3.11.0", "numpy": "2.0.0"},
        "device": "Linux x86_64, 2 cores",
        "n_workers": 1,
        "wall_time_seconds": 0.5,
        "peak_memory_bytes": 1000,
        "source_revision": "abc",
        "source_hash": "0" * 64,
    }
    return Manifest(**(fields | changes))


def a_frame():
    return pd.DataFrame(
        {
            "x": [1, -(2**63)],
            "risk": [0.1, math.inf],
            "ok": [True, False],
            "text": ['a "quoted", text\nof two lines\r', ""],
        }
    )


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "a-table.csv"
    write_table(path, a_frame(), a_manifest())
    return path


def test_round_trip(table):
    frame, manifest = read_table(table)
    pd.testing.assert_frame_equal(frame, a_frame())
    assert manifest.columns == {"x": "int", "risk": "float", "ok": "bool", "text": "str"}
    assert manifest.n_rows == 2
    assert dataclasses.replace(manifest, columns={}, n_rows=0, table_sha256="") == a_manifest()
    assert sorted(p.name for p in table.parent.iterdir()) == [
        "a-table.csv",
        "a-table.manifest.json",
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False),
            st.integers(-(2**63), 2**63 - 1),
            st.booleans(),
            texts,
            st.floats(),
            st.floats(width=32, allow_nan=False),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_value_survives_to_the_last_bit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("t") / "a-table.csv"
    f, i, b, s, n, g = (list(column) for column in zip(*rows, strict=True))
    frame = pd.DataFrame({"f": f, "i": i, "b": b, "a, b": s, "n": n})
    frame["g"] = np.array(g, dtype=np.float32)
    write_table(path, frame, a_manifest(nullable=("n",)))
    back, _ = read_table(path)
    assert [repr(v) for v in back["f"]] == [repr(v) for v in f]
    assert [math.copysign(1, v) for v in back["f"]] == [math.copysign(1, v) for v in f]
    assert back["i"].tolist() == i
    assert back["b"].tolist() == b
    assert back["a, b"].tolist() == s
    np.testing.assert_array_equal(back["n"], n)
    assert back["g"].tolist() == [float(np.float32(v)) for v in g]
    assert [d.kind for d in back.dtypes][:3] == ["f", "i", "b"]


def test_a_single_empty_text_survives(tmp_path):
    path = tmp_path / "a-table.csv"
    write_table(path, pd.DataFrame({"only": ["", ""]}), a_manifest())
    assert read_table(path)[0]["only"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"risk": [1.0, math.nan]}), "'risk' has no value in row 1: a lost result"),
        (pd.DataFrame({"text": ["a", None]}), "'text' has no value in row 1"),
        (pd.DataFrame({"risk": pd.array([1, None], dtype="Int64")}), "lost result"),
        (pd.DataFrame({"x": [1, "a"]}), "'x' must hold only"),
        (pd.DataFrame({"x": [1, 2.5]}, dtype=object), "'x' must hold only"),
        (pd.DataFrame({"x": [1j]}), "'x' must hold only"),
        (pd.DataFrame({"x": [[1, 2]]}), "'x' must hold only"),
        (pd.DataFrame({"x": np.array([2**63], dtype=np.uint64)}), "64 bits"),
        (pd.DataFrame({"x": []}), "empty table"),
        (pd.DataFrame(), "empty table"),
        (pd.DataFrame({1: [1]}), "non-empty names"),
        (pd.DataFrame({" ": [1]}), "non-empty names"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "'x' is there twice"),
        (pd.DataFrame({"x": pd.Series(["\ud800"], dtype=object)}), "UTF-8"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_written(tmp_path, frame, message):
    path = tmp_path / "a-table.csv"
    with pytest.raises(TableError, match=message) as caught:
        write_table(path, frame, a_manifest())
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nullable_is_for_float_columns_that_exist(tmp_path):
    path = tmp_path / "a-table.csv"
    frame = pd.DataFrame({"risk": [1.0, math.nan], "x": [1, 2]})
    write_table(path, frame, a_manifest(nullable=("risk",)))
    pd.testing.assert_frame_equal(read_table(path)[0], frame)
    with pytest.raises(TableError, match="names no column"):
        write_table(path, frame, a_manifest(nullable=("rsik",)))
    with pytest.raises(TableError, match="must hold floats"):
        write_table(path, frame, a_manifest(nullable=("risk", "x")))


def test_a_refused_table_leaves_the_older_one_alone(table):
    before = table.read_bytes(), manifest_path(table).read_bytes()
    with pytest.raises(TableError):
        write_table(table, pd.DataFrame({"x": [math.nan]}), a_manifest())
    assert (table.read_bytes(), manifest_path(table).read_bytes()) == before


def damaged(table, change):
    content = table.read_bytes()
    table.write_bytes(change(content))
    return table


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content + b"\n",
        lambda content: content.replace(b"0.1", b"0.2"),
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xff" + content,
    ],
)
def test_a_damaged_table_is_refused_and_kept(table, change):
    damaged(table, change)
    now = table.read_bytes()
    with pytest.raises(TableError, match=r"a-table\.csv: its checksum .*kept and not used"):
        read_table(table)
    assert table.read_bytes() == now


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_single_changed_byte_goes_unseen(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("t")
    path = folder / "a-table.csv"
    write_table(path, a_frame(), a_manifest())
    victim = data.draw(st.sampled_from([path, manifest_path(path)]))
    content = bytearray(victim.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    victim.write_bytes(bytes(content))
    try:
        frame, manifest = read_table(path)
    except TableError as error:
        assert "a-table" in str(error)  # noqa: PT017 - either outcome is right
    else:  # white space of the manifest is all that may change
        assert victim == manifest_path(path)
        pd.testing.assert_frame_equal(frame, a_frame())
        assert dataclasses.replace(manifest, columns={}, n_rows=0, table_sha256="") == a_manifest()


def edit_manifest(table, change, *, sign=False):
    path = manifest_path(table)
    content = json.loads(path.read_text())
    change(content)
    if sign:
        content.pop("manifest_sha256", None)
        content["manifest_sha256"] = configuration_hash(content)
    path.write_text(json.dumps(content))


def test_an_edited_manifest_is_refused(table):
    edit_manifest(table, lambda content: content.update(seed=4))
    with pytest.raises(TableError, match=r"manifest\.json: its checksum does not hold"):
        read_table(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("seed"), r"missing \['seed'\]"),
        (lambda c: c.update(colour="red"), r"unknown \['colour'\]"),
        (lambda c: c.update(format="other 1"), "not a manifest of the format"),
        (lambda c: c.update(seed=-1), "seed must be an integer >= 0"),
        (lambda c: c.update(seed="3"), "seed must be an integer"),
        (lambda c: c.update(tier="huge"), "tier must be one of"),
        (lambda c: c.update(n_rows=3), "2 rows instead of 3"),
        (lambda c: c.update(n_rows=0), "lacks checksum"),
        (lambda c: c.update(columns=[["x", "int"]]), "columns .* instead of"),
        (lambda c: c.update(columns=[["x", "int", 1]]), "pairs"),
        (lambda c: c.update(columns={"x": "int"}), "pairs"),
        (lambda c: c["columns"].reverse(), "instead of"),
        (lambda c: c["columns"].__setitem__(1, ["risk", "int"]), "does not fit its manifest"),
        (lambda c: c["columns"].__setitem__(0, ["x", "bool"]), "for a boolean"),
        (lambda c: c["columns"].__setitem__(0, ["x", "complex"]), "columns must be one of"),
        (lambda c: c.update(name="room/other"), "of another table, 'room/other'"),
        (lambda c: c.update(table_sha256="1" * 64), "truncated or edited"),
        (lambda c: c.update(table_sha256="short"), "table_sha256 must be 64"),
        (lambda c: c.update(versions=[]), "versions must map"),
    ],
)
def test_a_foreign_manifest_is_refused_although_it_is_signed(table, change, message):
    edit_manifest(table, change, sign=True)
    with pytest.raises(TableError, match=message) as caught:
        read_table(table)
    assert "a-table" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code_hash": "0" * 64}, "traced must say where code_hash and date come from"),
        ({"traced": "run"}, "code_hash must be 64 hexadecimal digits, got ''"),
        ({"traced": "guess"}, "traced must be one of"),
        (
            {"traced": "run", "code_hash": "0" * 64, "date": "2026-13-01"},
            "date must be a day like '2026-11-25', got '2026-13-01'",
        ),
    ],
)
def test_code_and_day_come_with_their_origin(change, message):
    with pytest.raises(ValueError, match=message):
        a_manifest(**change)
    known = a_manifest(traced="run", code_hash="0" * 64, date="2026-11-25")
    assert '"traced": "run"' in known.to_json()


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b'{"format": 1}'])
def test_a_manifest_that_is_none(table, content):
    manifest_path(table).write_bytes(content)
    with pytest.raises(TableError, match=r"a-table\.manifest\.json"):
        read_table(table)


def test_missing_files(table):
    manifest_path(table).unlink()
    with pytest.raises(MissingTableError, match="no such manifest"):
        read_table(table)
    with pytest.raises(FileNotFoundError, match="no such table"):
        read_table(table.with_name("other.csv"))
    with pytest.raises(MissingTableError):
        read_manifest(table)


def test_an_interrupted_write_is_noticed(table, monkeypatch):
    """The process dies after the new table and before its manifest."""
    real = tables.write_atomically

    def dies(path, content, **options):
        if Path(path).suffix == ".json":
            raise KeyboardInterrupt
        real(path, content, **options)

    monkeypatch.setattr(tables, "write_atomically", dies)
    with pytest.raises(KeyboardInterrupt):
        write_table(table, pd.DataFrame({"x": [5]}), a_manifest())
    with pytest.raises(TableError, match="checksum"):
        read_table(table)


def test_a_failed_atomic_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    assert path.read_bytes() == b"old"

    def fails(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"name": "no-room"}, ValueError, "room/kebab-name.*'no-room'"),
        ({"name": "room/Not_Kebab"}, ValueError, "room/kebab-name"),
        ({"name": "../room/x"}, ValueError, "room/kebab-name"),
        ({"name": 1}, TypeError, "name"),
        ({"description": " "}, ValueError, "description must not be empty"),
        ({"device": None}, TypeError, "device must be a string"),
        ({"tier": "slow"}, ValueError, "tier must be one of 'quick', 'full', got 'slow'"),
        ({"configuration": []}, TypeError, "configuration must be a mapping"),
        ({"configuration": {"x": math.nan}}, ValueError, "configuration must be JSON"),
        ({"configuration": {"x": object()}}, TypeError, "configuration must be JSON"),
        ({"seed": 1.0}, TypeError, "seed"),
        ({"seed": True}, TypeError, "seed"),
        ({"versions": {"numpy": 2}}, TypeError, "versions must map strings"),
        ({"n_workers": 0}, ValueError, "n_workers"),
        ({"wall_time_seconds": -1.0}, ValueError, "wall_time_seconds"),
        ({"wall_time_seconds": math.nan}, ValueError, "wall_time_seconds"),
        ({"peak_memory_bytes": 1.5}, TypeError, "peak_memory_bytes"),
        ({"source_hash": "xyz"}, ValueError, "source_hash must be 64"),
        ({"nullable": "risk"}, TypeError, "nullable"),
        ({"nullable": (1,)}, TypeError, "nullable"),
        ({"columns": {"x": "complex"}}, ValueError, "columns must be one of"),
    ],
)
def test_manifest_validates(changes, error, message):
    with pytest.raises(error, match=message):
        a_manifest(**changes)


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.csv"):
        write_table(tmp_path / "a-table.txt", a_frame(), a_manifest())
    with pytest.raises(TableError, match="of another table"):
        write_table(tmp_path / "other.csv", a_frame(), a_manifest())
    with pytest.raises(TypeError, match="frame must be"):
        write_table(tmp_path / "a-table.csv", [1], a_manifest())
    with pytest.raises(TypeError, match="manifest must be"):
        write_table(tmp_path / "a-table.csv", a_frame(), {})
    assert list(tmp_path.iterdir()) == []


def test_archive_path_takes_the_shipped_copy_first(tmp_path, monkeypatch):
    shipped, repository = tmp_path / "shipped", tmp_path / "repository"
    monkeypatch.setattr(tables, "archive_roots", lambda: iter([shipped, repository]))
    with pytest.raises(MissingTableError, match=r"shipped.*repository.*run room/a-table --tier"):
        archive_path("full", "room/a-table")
    for root in (repository, shipped):
        place = root / "full" / "room" / "a-table.csv"
        write_atomically(place, b"x")
        assert archive_path("full", "room/a-table") == place
    with pytest.raises(ValueError, match="tier"):
        archive_path("huge", "room/a-table")
    with pytest.raises(ValueError, match="room/kebab-name"):
        archive_path("full", "../../etc/passwd")


def test_source_hash_counts_only_code(tmp_path):
    one = '"""Doc."""\n\ndef f(x):\n    """Doc."""\n    return x + 1  # why\n'
    (tmp_path / "a.py").write_text(one)
    before = source_hash(tmp_path)
    (tmp_path / "a.py").write_text('"""Other."""\ndef f( x ):\n  return (x+1)\n')
    assert source_hash(tmp_path) == before
    (tmp_path / "notes.txt").write_text("not code")
    assert source_hash(tmp_path) == before
    (tmp_path / "a.py").write_text(one.replace("+ 1", "+ 2"))
    assert source_hash(tmp_path) != before
    (tmp_path / "a.py").write_text(one.replace("x + 1", "x + 1.0"))
    assert source_hash(tmp_path) != before
    (tmp_path / "a.py").write_text(one)
    assert source_hash(tmp_path) == before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert source_hash(tmp_path) != before
    with pytest.raises(FileNotFoundError, match="no Python file"):
        source_hash(tmp_path / "empty")


def test_the_package_is_hashed_once_while_no_file_of_it_changes(monkeypatch, tmp_path):
    file = tmp_path / "one.py"
    file.write_text("x = 1", encoding="utf-8")
    read = []
    monkeypatch.setattr(tables, "__file__", str(tmp_path / "tables.py"))
    monkeypatch.setattr(
        tables, "code_structure", lambda text: read.append(text) or code_structure(text)
    )
    before = source_hash()
    assert source_hash() == before == source_hash(tmp_path)
    assert read == ["x = 1", "x = 1"]  # by the first, and by the one of a named folder
    file.write_text("x = 12", encoding="utf-8")
    assert source_hash() == source_hash(tmp_path) != before
    (tmp_path / "two.py").write_text("", encoding="utf-8")
    assert source_hash() == source_hash(tmp_path)


def test_source_hash_is_the_same_in_every_python():
    """Pinned: the tests run on several versions of Python, which disagree about ast.dump."""
    text = (
        "from __future__ import annotations\n"
        "class A(B, k=1):\n    x: int = 1\n"
        "@d\nasync def f(a, /, b=None, *c, d, **e) -> str:\n"
        "    with open(a) as g, h:\n        return f'{a!r:>{b}} {{}}' 'tail'\n"
        "def g[T](x): pass\n".replace("[T]", "")
        + "lambda: (yield)\n[*a, {**b, 1: ...}, x[1:2, ::3], (y := 2j), b'\\x00', -0.5]\n"
        "match q:\n    case {'k': [1, *_], **r} if r: pass\n    case A(x=None) | -1: pass\n"
        "try:\n    del a.b\nexcept* E as e:\n    raise X from None\n"
    )
    assert configuration_hash(tables.code_structure(text))[:16] == "682dedc1c549bbb3"


def test_canonical_json_refuses_nan():
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"x": math.inf})


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(texts, st.one_of(st.integers(), st.booleans(), texts), max_size=5))
def test_configuration_hash_does_not_see_the_order(mapping):
    backwards = dict(reversed(list(mapping.items())))
    assert configuration_hash(mapping) == configuration_hash(backwards)
    assert configuration_hash(mapping) != configuration_hash(mapping | {"another key": 0.5})
