"""Activations from other places: arrays, files, folders of others; and what is none of these."""

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


def test_cached_activations_of_saelens_are_read(tmp_path):
    """Their layout: a row a context, with one (context, dims) array a hook, written by `datasets`: here by pyarrow, alike."""
    import pyarrow as pa

    contexts = ROWS[:18].reshape(3, 6, 3)
    schema = pa.schema({"blocks.0.hook_resid_post": pa.list_(pa.list_(pa.float32())), "token_ids": pa.list_(pa.int32(), 6)})
    for number, part in enumerate((contexts[:2], contexts[2:])):
        with (tmp_path / f"data-0000{number}-of-00002.arrow").open("wb") as file, pa.ipc.new_stream(file, schema) as writer:
            ids = [[number * 10 + i for i in range(6)] for _ in part]
            writer.write_batch(pa.record_batch({"blocks.0.hook_resid_post": part.tolist(), "token_ids": ids}, schema=schema))
    (tmp_path / "dataset_info.json").write_text("{}")
    acts = load(tmp_path)
    assert acts.site == "blocks.0.hook_resid_post"
    assert acts.read().numpy() == pytest.approx(ROWS[:18])
    assert acts.documents.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert acts.tokens[-1] == 15
    with pytest.raises(ValueError, match="has no 'resid'; it has blocks"):
        load(tmp_path, site="resid")


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
