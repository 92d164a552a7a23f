"""A disk that is full: one clear line, nothing finished is lost, a rerun does the rest. The limit on file size stands in for the disk."""

import pytest
from store_laboratory import Walks
from store_processes import run_to_end

from tegum.store import Store, rows_of


@pytest.mark.parametrize(
    ("options", "largest_file", "advice"),
    [
        # the database meets the limit; SQLite does not tell a quota from a failing disk
        ({"walks": 300, "steps": [10], "milliseconds": 0}, 300_000, "see that the disk is sound and has room, then run again"),
        ({"walks": 3, "steps": [10, 60_000], "milliseconds": 0}, 400_000, "make room and run again"),  # an array file does
    ],
    ids=["database", "arrays"],
)
def test_a_full_disk_is_one_clear_error_and_a_rerun_completes(tmp_path, options, largest_file, advice):
    place = tmp_path / "runs"
    status, out, err = run_to_end(place, "Walks", options, jobs=1, largest_file=largest_file)
    assert (status, out) == (1, "")
    assert err.startswith(f"cannot write to {place}")
    assert err.endswith(f"Finished cells are kept; {advice} to do the rest\n")
    assert err.count("\n") == 1
    kept = {row.cell: row for row in rows_of(Store(place), Walks, Walks.Params(**options))}
    assert kept
    assert not list((place / "arrays" / "scratch").iterdir())

    status, _, err = run_to_end(place, "Walks", options)
    assert (status, err) == (0, "")
    rows = rows_of(Store(place), Walks, Walks.Params(**options))
    assert rows.complete
    assert all(row == kept[row.cell] for row in rows if row.cell in kept)
