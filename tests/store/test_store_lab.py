"""The lab with real worker processes: what is run, what is reused, what is told."""

import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from pebble import ProcessExpired
from store_laboratory import Careless, Malformed, Moody, Walks

from tegum.store import Claim, Row, Store, evaluate, rows_of, run_experiments
from tegum.store.pool import Crashed, _end_of
from tegum.store.worker import Task, Unsaved, execute

SMALL = Walks.Params(walks=3, steps=(5, 20), milliseconds=0)


class Second(Walks):
    """The walks after a change of their code: they go the other way."""

    name = "walks"
    version = 2

    def run(self, cell, params):
        there = super().run(cell, params)
        return Row(end=-there.end, extremes=there.extremes, path=-there.path)


class Repeats(Walks):
    """Walks that claim one thing twice."""

    def claims(self, rows):
        return [Claim("walks have legs", 1, expected=1)] * 2


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A store in which the small walks are done, and their outcome."""
    store = Store(tmp_path_factory.mktemp("done") / "runs")
    events = []
    outcome = run_experiments([(Walks, SMALL, "quick")], store, jobs=2, progress=events.append)[0]
    return store, outcome, events


@pytest.fixture
def copy(done, tmp_path):
    """The same store, to be changed."""
    shutil.copytree(done[0].folder, tmp_path / "runs")
    return Store(tmp_path / "runs")


def test_rows_come_back_in_the_order_of_the_cells_with_nothing_lost(done):
    store, outcome, _ = done
    assert outcome.ok
    assert [row.cell for row in outcome.rows] == Walks().cells(SMALL)
    assert all(row == Walks().run(row.cell, SMALL).of(row.cell) for row in outcome.rows)
    assert rows_of(store, Walks, SMALL) == outcome.rows
    assert outcome.rows.params == SMALL
    assert "6 rows, 0 errors" in repr(outcome)
    assert "<table" in outcome._repr_html_()
    assert len(outcome.to_dataframe()) == 6


def test_finished_cells_are_not_run_again(copy):
    events = []
    (outcome,) = run_experiments([(Walks, SMALL, "quick")], copy, jobs=1, progress=events.append)
    assert outcome.ok
    assert [(event.from_cache, event.done, event.rate) for event in events] == [(6, 6, None)]


@pytest.mark.parametrize(
    ("experiment", "params"), [(Second, SMALL), (Walks, SMALL.model_copy(update={"seed": 1}))], ids=["version", "parameters"]
)
def test_another_version_or_other_parameters_reuse_nothing_and_touch_nothing(copy, done, experiment, params):
    assert len(rows_of(copy, experiment, params)) == 0
    (outcome,) = run_experiments([(experiment, params, "quick")], copy, jobs=2)
    assert all(row == experiment().run(row.cell, params).of(row.cell) for row in outcome.rows)
    assert not set(map(repr, outcome.rows)) & set(map(repr, done[1].rows))
    assert rows_of(copy, experiment, params) == outcome.rows
    assert rows_of(copy, Walks, SMALL) == done[1].rows
    assert {(run.version, run.params["seed"], run.done) for run in copy.runs()} == {(1, 0, 6), (experiment.version, params.seed, 6)}


def test_progress_counts_up_to_the_total(done):
    events = done[2]
    assert [event.done for event in events] == list(range(7))
    assert {event.total for event in events} == {6}
    assert events[-1].finished
    assert events[-1].rate > 0
    assert events[-1].eta == 0


def test_a_run_that_finishes_nothing_for_long_says_which_cell_it_waits_for(tmp_path, monkeypatch):
    monkeypatch.setattr("tegum.store.lab._QUIET_SECONDS", 0.4)
    events, params = [], Walks.Params(walks=1, steps=(5,), milliseconds=1500)
    run_experiments([(Walks, params, "quick")], Store(tmp_path / "runs"), jobs=1, progress=events.append)
    waits = [event.waiting for event in events if event.waiting]
    assert {cell for cell, _ in waits} == {"walk=0, steps=5"}
    assert all(0 < seconds < 60 for _, seconds in waits)
    assert len(waits) < 20


def test_the_store_tells_of_its_runs_and_claims(done):
    store, outcome, _ = done
    (run,) = store.runs()
    assert (run.experiment, run.version, run.preset, run.done, run.failed, run.total, run.state) == (
        "walks",
        1,
        "quick",
        6,
        0,
        6,
        "finished",
    )
    assert run.id == outcome.run_id
    assert Walks.Params.model_validate(run.params) == SMALL
    assert run.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert run.provenance["machine"]["cpus"] >= 1
    assert run.provenance["seed"] == 0
    assert 0 < run.seconds < run.elapsed * 2 + 1
    assert [record.claim for record in store.claims()] == list(outcome.claims) == list(evaluate(Walks, outcome.rows))
    assert store.claims()[0].experiment == "walks"


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-8]), _flip],
    ids=["missing", "cut", "altered"],
)
def test_an_array_file_that_was_spoiled_is_found_and_redone(copy, done, spoil):
    file = sorted((copy.folder / "arrays").glob("??/*.safetensors"))[2]
    spoil(file)
    assert len(rows_of(copy, Walks, SMALL)) == 5
    events = []
    (outcome,) = run_experiments([(Walks, SMALL, "quick")], copy, jobs=1, progress=events.append)
    assert outcome.rows == done[1].rows
    assert (events[0].from_cache, events[-1].done) == (5, 6)


WRONG_ROWS = ("returns a list", "holds a function")


def test_a_cell_that_fails_is_a_value_with_its_reason_and_is_tried_again_next_time(tmp_path, capfd):
    moods = ("good", "raises", "exits", "interrupts", "is mute", "meets a bad name", "fills its own disk", *WRONG_ROWS, "prints")
    params = Moody.Params(folder=str(tmp_path), moods=moods)
    store = Store(tmp_path / "runs")
    moody, careless = run_experiments([(Moody, params, "quick"), (Careless, SMALL.model_copy(), "quick")], store, jobs=2)
    assert [row.mood for row in moody.rows] == ["good", "prints"]
    assert [row.threads for row in moody.rows] == ["1", "1"]
    assert [error.message for error in moody.errors] == [
        "ArithmeticError: two and two make five",
        "SystemExit: 3",
        "KeyboardInterrupt",
        "Mute: its message cannot be read, for that raises Mute",
        "ValueError: bad file \\udcff\\x00",
        "OSError: [Errno 28] No space left on device",
        "TypeError: Moody.run returned a list, not a Row",
        "ValueError: row field 'function' must be a scalar, a list of scalars or a numeric array, but it is of type builtin_function_or_method",
    ]
    assert "two and two make five" in moody.errors[0].traceback
    assert "store_laboratory.py" in moody.errors[0].traceback
    assert capfd.readouterr().out == ""  # what a cell prints is not a result
    assert [(error.cell, error.kind) for error in careless.errors] == [(None, "claims")]
    assert "no field 'colour'" in careless.errors[0].message
    assert (len(careless.rows), careless.ok) == (6, False)
    assert {run.experiment: (run.done, run.failed) for run in store.runs()} == {"moody": (2, 8), "careless": (6, 0)}

    (tmp_path / "calm").touch()
    (again,) = run_experiments([(Moody, params, "quick")], store, jobs=2)
    assert again.ok
    assert len((tmp_path / "good was run").read_text()) == 1
    assert len((tmp_path / "raises was run").read_text()) == 2


def test_claims_that_exit_are_a_failure_of_theirs_alone(copy, monkeypatch):
    def leave(self, rows):
        raise SystemExit("enough")

    with monkeypatch.context() as broken:
        broken.setattr(Walks, "claims", leave)
        (outcome,) = run_experiments([(Walks, SMALL, "quick")], copy, jobs=1)
    assert "enough" in outcome.errors[0].message
    assert "enough" in copy.runs()[0].claims_failure.message


def test_claims_that_raise_leave_no_old_verdict_and_are_told_until_they_are_judged(copy, done, monkeypatch):
    assert copy.claims()
    with monkeypatch.context() as broken:
        broken.setattr(Walks, "claims", Careless.claims)
        run_experiments([(Walks, SMALL, "quick")], copy, jobs=1)
    (run,) = copy.runs()
    assert (copy.claims(), run.failed, copy.failures(run.setting)) == ([], 0, {})
    assert "no field 'colour'" in run.claims_failure.message
    assert "claims" in run.claims_failure.traceback
    run_experiments([(Walks, SMALL, "quick")], copy, jobs=1)
    assert copy.runs()[0].claims_failure is None
    assert [record.claim for record in copy.claims()] == list(done[1].claims)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_a_row_whose_array_file_cannot_be_read_now_is_kept(copy, monkeypatch, number):
    whole = Path.open

    def refuse(path, *arguments, **options):
        if path.suffix == ".safetensors":
            raise OSError(number, os.strerror(number), str(path))
        return whole(path, *arguments, **options)

    with monkeypatch.context() as ill:
        ill.setattr(Path, "open", refuse)
        with pytest.raises(OSError, match=os.strerror(number)):
            run_experiments([(Walks, SMALL, "quick")], copy, jobs=1)
    assert rows_of(copy, Walks, SMALL).complete


def test_a_cell_whose_arrays_the_disk_does_not_take_is_not_the_cells_failure(tmp_path):
    (tmp_path / "arrays").touch()
    task = Task("store_laboratory", "Walks", "{}", '{"steps":5,"walk":0}', str(tmp_path / "arrays"))
    assert isinstance(execute(task), Unsaved)


def test_whatever_ends_a_worker_counts_as_a_try_of_its_cell():
    assert _end_of(BrokenProcessPool("all gone")) == Crashed("the worker process was lost (BrokenProcessPool: all gone)")
    assert _end_of(ProcessExpired("", code=-9)) == Crashed("the worker process was killed by SIGKILL")
    assert _end_of(ProcessExpired("", code=-40)) == Crashed("the worker process was killed by signal 40")


def test_an_experiment_in_a_script_is_named_after_the_script_and_one_in_no_file_must_say_its_name(tmp_path):
    code = "from store_laboratory import Walks\nclass Mine(Walks): pass\n"
    (tmp_path / "my_walks.py").write_text(code + "print(Mine.name)")
    refused = (
        code + "from tegum.store import Store, rows_of\ntry: rows_of(Store('x'), Mine, Mine.Params())\nexcept ValueError as e: print(e)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    told = [
        subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, env=environment).stdout
        for words in ([tmp_path / "my_walks.py"], ["-c", refused])
    ]
    assert told == ["my_walks\n", "Mine is defined in no file that could name it; give it a `name`\n"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ((Malformed, Malformed.Params(), "quick"), "has no cells"),
        ((Malformed, Malformed.Params(walks=(1, 2, 1)), "quick"), r"the cell \(walk=1\) twice"),
        ((Walks, Moody.Params(), "quick"), r"walks takes Walks\.Params, not Moody\.Params"),
        ((print, SMALL, "quick"), "not an experiment"),
    ],
)
def test_a_request_that_is_none_is_refused_and_nothing_is_written(tmp_path, request_, said):
    with pytest.raises((ValueError, TypeError), match=said):
        run_experiments([(Walks, SMALL, "quick"), request_], Store(tmp_path / "runs"))
    assert not list(tmp_path.iterdir())


def test_other_bad_requests_write_nothing(tmp_path):
    store = Store(tmp_path / "runs")
    with pytest.raises(ValueError, match="asked for twice"):
        run_experiments([(Walks, SMALL, "quick"), (Walks(), SMALL, "other")], store)
    with pytest.raises(ValueError, match="jobs is 0"):
        run_experiments([(Walks, SMALL, "quick")], store, jobs=0)
    assert run_experiments([], store) == []
    assert (store.runs(), store.claims(), store.exists) == ([], [], False)
    assert len(rows_of(store, Walks, SMALL).missing) == 6
    assert not list(tmp_path.iterdir())


def test_claims_need_every_row_and_say_each_thing_once(done):
    with pytest.raises(ValueError, match="6 of 6 cells have no row"):
        evaluate(Walks, rows_of(done[0], Second, SMALL))

    with pytest.raises(ValueError, match="claims twice: walks have legs"):
        evaluate(Repeats, done[1].rows)


def test_a_store_is_a_folder_or_a_url(tmp_path):
    assert Store(f"sqlite:///{tmp_path}/lab.db").folder == tmp_path
    apart = Store(f"sqlite:///{tmp_path}/lab.db#{tmp_path}/shared")
    assert (apart.folder, apart.arrays.folder) == (tmp_path / "shared", tmp_path / "shared" / "arrays")
    apart.create()
    assert sorted(place.name for place in tmp_path.iterdir()) == ["lab.db", "lab.db-shm", "lab.db-wal", "shared"]
    with pytest.raises(ValueError, match=r"at postgresql://me:\*\*\*@somewhere/lab needs a folder.*URL#DIR"):
        Store("postgresql://me:secret@somewhere/lab")
    for nowhere in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:lab.db?uri=true"):
        with pytest.raises(ValueError, match="needs a file"):
            Store(nowhere)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        Store(tmp_path / "file")


def test_the_room_loads_no_torch_and_no_pandas():
    code = "import sys, tegum.store as s; [getattr(s, n) for n in s.__all__]; print({'torch', 'pandas', 'plotly', 'rich'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
