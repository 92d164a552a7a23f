"""Activations from other places: arrays, files, folders of others; and what is none of these."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tegum.activations import capture, load

ROWS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def test_arrays_tensors_and_files_are_the_same_rows(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    save_file({"x": torch.from_numpy(ROWS), "n": torch.tensor([1])}, tmp_path / "a.safetensors")
    for source in (ROWS, torch.from_numpy(ROWS), tmp_path / "a.npy", str(tmp_path / "a.safetensors")):
        acts = load(source)
        assert acts.read().numpy() == pytest.approx(ROWS)
        assert len(acts.split(0.5)[0]) < 20


def test_a_folder_of_capture_is_opened(tmp_path):
    capture(torch.nn.Linear(3, 2), "", [torch.ones(4, 3)], tmp_path / "a")
    assert load(tmp_path / "a").sites == {"": 2}


def test_rows_that_are_not_finite_are_left_out_and_said():
    rows = ROWS.copy()
    rows[3, 1], rows[7, 0] = np.nan, np.inf
    with pytest.warns(UserWarning, match="2 of 20 rows are not finite"):
        acts = load(rows)
    assert acts.read().numpy() == pytest.approx(np.delete(rows, [3, 7], axis=0))


def cached(folder, parts, ids=None, kind=None, files=2):
    """A folder as `datasets` writes it, two record batches a file: `parts` are lists of contexts, each a list of rows."""
    import pyarrow as pa

    kind = kind or pa.list_(pa.list_(pa.float32()))
    schema = pa.schema({"blocks.0.hook_resid_post": kind} | ({"token_ids": pa.list_(pa.int32())} if ids else {}))
    per = -(-len(parts) // files)
    for number in range(files):
        with (folder / f"data-{number:05}-of-{files:05}.arrow").open("wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for place in range(number * per, min(len(parts), (number + 1) * per)):
                columns = {"blocks.0.hook_resid_post": pa.array(parts[place], type=kind)} | ({"token_ids": ids[place]} if ids else {})
                writer.write_batch(pa.record_batch(columns, schema=schema))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def test_cached_activations_of_saelens_are_read(tmp_path):
    """Their layout: a row a context, with one (context, dims) array a hook, written by `datasets`: here by pyarrow, alike."""
    contexts = ROWS[:18].reshape(3, 6, 3).tolist()
    ids = [[[part * 10 + i for i in range(6)]] for part in range(3)]
    acts = load(cached(tmp_path, [[context] for context in contexts], ids))
    assert acts.site == "blocks.0.hook_resid_post"
    assert acts.read().numpy() == pytest.approx(ROWS[:18])
    assert acts.documents.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert acts.positions.tolist() == list(range(6)) * 3
    assert acts.tokens[-1] == 25
    assert pickle.loads(pickle.dumps(acts)).read().equal(acts.read())
    with pytest.raises(ValueError, match="has no 'resid'; it has blocks"):
        load(tmp_path, site="resid")


def test_contexts_of_other_lengths_are_told_apart(tmp_path):
    rows = ROWS[:11].tolist()
    acts = load(cached(tmp_path, [[rows[:3], rows[3:8]], [rows[8:11]]]))
    assert acts.read().numpy() == pytest.approx(ROWS[:11])
    assert acts.documents.tolist() == [0] * 3 + [1] * 5 + [2] * 3
    assert acts.positions.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 0, 1, 2]


def test_arrow_files_that_are_missing_or_of_another_shape_are_refused(tmp_path):
    import pyarrow as pa

    (tmp_path / "a").mkdir()
    cached(tmp_path / "a", [[ROWS[:2].tolist()], [ROWS[2:4].tolist()]])
    (tmp_path / "a" / "data-00000-of-00002.arrow").unlink()
    with pytest.raises(ValueError, match=r"has 1 \.arrow files, by whose names there are 2: some are missing"):
        load(tmp_path / "a")
    for name, parts, kind, said in (
        ("b", [[[[1.0, 2.0], [3.0]]]], None, "has rows of 1 to 2 dims"),
        ("c", [[[1.0, 2.0]]], pa.list_(pa.float32()), r"it must be \(context, dims\) numbers a row"),
    ):
        (tmp_path / name).mkdir()
        with pytest.raises(ValueError, match=said):
            load(cached(tmp_path / name, parts, kind=kind, files=1))


def test_tables_of_numbers_are_told_from_others_and_a_site_is_never_ignored(tmp_path):
    save_file({"x": torch.ones(3, 2), "ids": torch.ones(3, 2, dtype=torch.int64), "b": torch.ones(2)}, tmp_path / "a.safetensors")
    assert load(tmp_path / "a.safetensors").site == "x"
    for source in (ROWS, tmp_path / "a.safetensors"):
        with pytest.raises(ValueError, match="has no 'foo'"):
            load(source, site="foo")
    with pytest.raises(ValueError, match="damaged is 'nope'"):
        load(ROWS, damaged="nope")
    assert load(ROWS[::-1]).read().numpy() == pytest.approx(ROWS[::-1])
    assert load(ROWS.astype(">f4")).read().numpy() == pytest.approx(ROWS)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: at, r"holds no activations that are known: looked for a folder with manifest\.json"),
        (lambda at: np.save(at / "a.npy", np.arange(3.0)) or at / "a.npy", r"has shape \(3,\)"),
        (lambda at: np.save(at / "a.npy", np.ones((3, 2), dtype=int)) or at / "a.npy", "dtype torch.int64; activations are floating-point"),
        (lambda at: (at / "a.txt").write_text("x") and at / "a.txt", "looked for"),
        (
            lambda at: save_file({"x": torch.ones(2, 2), "y": torch.ones(2, 2)}, at / "a.safetensors") or at / "a.safetensors",
            "has 2 tables",
        ),
        (lambda at: (at / "dataset_info.json").write_text("{}") and at, r"but no \.arrow files"),
        (lambda at: (at / "a.safetensors").write_bytes(b"12345678") and at / "a.safetensors", "not a whole safetensors file"),
    ],
)
def test_what_is_none_is_refused_saying_what_was_looked_for(tmp_path, make, said):
    with pytest.raises(ValueError, match=said):
        load(make(tmp_path))


def test_a_pickle_in_an_npy_is_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="is no array of numbers, and nothing else is loaded"):
        load(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError, match="there is nothing at"):
        load(tmp_path / "b.npy")
