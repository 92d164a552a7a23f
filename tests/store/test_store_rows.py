"""Cells and rows: what gets in, what comes back, and how rows are found."""

import json
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from tegum.store import Cell, Row, Rows
from tegum.store.arrays import Arrays
from tegum.store.cell import canonical, split

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text()
names = st.from_regex(r"[a-z]\w{0,8}", fullmatch=True).filter(lambda name: name not in ("keys", "cell", "self"))
dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="="),
    hnp.unsigned_integer_dtypes(endianness="="),
    hnp.floating_dtypes(endianness="="),
)
arrays = hnp.arrays(dtypes.filter(lambda kind: kind.itemsize <= 8), hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))


@given(fields=st.dictionaries(names, scalars | st.lists(scalars, max_size=3) | arrays, max_size=5))
def test_a_row_comes_back_from_text_and_array_file_to_the_last_bit(tmp_path_factory, fields):
    row = Row(**fields)
    plain, tensors = split(row)
    store = Arrays(tmp_path_factory.mktemp("arrays"))
    back = Row(**json.loads(canonical(plain)), **(store.read(store.write(tensors)) if tensors else {}))
    assert back == row
    assert pickle.loads(pickle.dumps(row)) == row


@given(fields=st.dictionaries(names, scalars.filter(lambda value: value == value), min_size=1, max_size=5), order=st.randoms())
def test_a_cell_is_the_same_whatever_the_order_of_its_fields(fields, order):
    shuffled = list(fields.items())
    order.shuffle(shuffled)
    assert Cell(**dict(shuffled)) == Cell(**fields)
    assert hash(Cell(**dict(shuffled))) == hash(Cell(**fields))
    assert Cell(**json.loads(canonical(Cell(**fields)))) == Cell(**fields)


def test_cells_and_rows_are_read_by_attribute_and_cannot_be_changed():
    cell = Cell(density=0.1, values="binary", shape=(2, 3))
    assert (cell.density, cell["density"], cell.values, cell.shape, dict(cell)["values"]) == (0.1, 0.1, "binary", [2, 3], "binary")
    with pytest.raises(AttributeError, match="frozen"):
        cell.density = 0.2
    with pytest.raises(AttributeError, match=r"no field 'densty'; did you mean 'density'\?"):
        _ = cell.densty
    assert str(cell) == "density=0.1, values='binary', shape=[2, 3]"


def test_values_of_numpy_and_torch_become_plain():
    torch = pytest.importorskip("torch")
    weights = torch.nn.Parameter(torch.ones(2, 3))
    row = Row(a=np.float32(0.5), b=torch.tensor(True), c=weights, d=torch.ones(2, dtype=torch.bfloat16), e=[np.int64(3), 4.0], f=weights.mT)
    assert (row.a, row.b, row.e) == (0.5, True, [3, 4.0])
    assert (type(row.a), type(row.b), type(row.e[0])) == (float, bool, int)
    assert (row.c.dtype, row.c.shape, row.d.dtype, row.f.shape) == (np.float32, (2, 3), np.float32, (3, 2))
    assert Cell(m=np.int64(2)) == Cell(m=2)


@pytest.mark.parametrize(
    "value",
    [
        print,
        object(),
        {"a": 1},
        np.array([None]),
        np.array(["a", "b"]),
        np.zeros(2, complex),
        [np.zeros(2)],
        list(range(20_000)),
        1j,
        b"raw",
        "bad file \udcff",
        ["\ud800"],
        2**63,
        np.uint64(2**64 - 1),
        {1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_row_takes_nothing_that_would_need_pickling(value):
    with pytest.raises(ValueError, match="row field 'x' must be"):
        Row(x=value)


@pytest.mark.parametrize("value", [math.nan, np.zeros(2), print, {"a": 1}], ids=repr)
def test_a_cell_takes_json_values_alone(value):
    with pytest.raises(ValueError, match="cell field 'x'"):
        Cell(x=value)


def test_a_field_cannot_hide_another():
    with pytest.raises(ValueError, match="'keys'"):
        Row(keys=1)
    with pytest.raises(ValueError, match="'cell'"):
        Row(cell=1)
    with pytest.raises(ValueError, match="'m' is also a field of its cell"):
        Row(m=1).of(Cell(m=1))


@pytest.fixture
def rows():
    cells = [Cell(density=p, m=m) for p in (1.0, 0.1) for m in (1, 2)]
    return Rows(None, [Row(loss=cell.density * cell.m, W=np.full((2, cell.m), 1.0), tags=[1]).of(cell) for cell in cells])


def test_rows_are_found_by_cell(rows):
    assert rows.at(density=0.1 + 1e-15, m=2).loss == pytest.approx(0.2)
    assert [row.m for row in rows.where(density=1)] == [1, 2]
    with pytest.raises(LookupError, match=r"no row at density=0\.3, m=1; there are: \(density=1\.0, m=1\)"):
        rows.at(density=0.3, m=1)
    with pytest.raises(LookupError, match="2 rows are at m=2"):
        rows.at(m=2)
    with pytest.raises(LookupError, match=r"no field 'n'; known: density, m"):
        rows.at(n=2)
    lacking = Rows(None, rows[:3], [Cell(density=0.1, m=2)])
    with pytest.raises(LookupError, match=r"density=0\.1, m=2 has no row: it failed or has not run"):
        lacking.at(density=0.1, m=2)


def test_values_are_one_array(rows):
    assert rows.values("loss") == pytest.approx([1.0, 2.0, 0.1, 0.2])
    assert rows.where(m=2).values("W").shape == (2, 2, 2)
    assert [len(w.T) for w in rows.values("W")] == [1, 2, 1, 2]  # ragged


def test_rows_are_exported_as_tables(rows, tmp_path):
    table = rows.to_dataframe()
    assert list(table) == ["density", "m", "loss"]
    assert pd.read_parquet(rows.export(tmp_path / "rows.parquet")).equals(table)
    assert pd.read_csv(rows.export(tmp_path / "rows.csv")).equals(table)
    assert json.loads(rows.export(tmp_path / "rows.json").read_text())[3] == {"density": 0.1, "m": 2, "loss": 0.2}
    odd = Rows(None, [Row(third=1 / 3, far=math.inf).of(Cell(p=0.1 + 0.2)), Row(word="yes", far=math.nan).of(Cell(p=[1.0, math.inf]))])
    assert json.loads(odd.export(tmp_path / "odd.json").read_text()) == [
        {"p": 0.1 + 0.2, "third": 1 / 3, "far": None, "word": None},
        {"p": [1.0, None], "third": None, "far": None, "word": "yes"},
    ]
    with pytest.raises(ValueError, match=r"\.parquet, \.csv, \.json or \.safetensors"):
        rows.export(tmp_path / "rows.xlsx")
    arrays = load_file(rows.export(tmp_path / "rows.safetensors"))
    assert sorted(arrays) == ["W.0", "W.1", "W.2", "W.3"]  # not one shape
    assert np.array_equal(arrays["W.2"], rows[2].W)
    assert np.array_equal(load_file(rows.where(m=2).export(tmp_path / "m2.safetensors"))["W"], rows.where(m=2).values("W"))
    assert "4 rows" in repr(rows)
    assert "<table" in rows._repr_html_()
