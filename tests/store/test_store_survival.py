"""Killed runners and killed workers: the rows are those of an unbroken run, none lost, none twice, and little is done again."""

import os
import random
import signal
import time

import pytest
from store_laboratory import Diary, Moody, Walks
from store_processes import rows_in, run_to_end, runs, start_runner, wait_until, workers_of

from tegum.store import Store, rows_of, run_experiments

JOBS = 2


@pytest.fixture
def diary(tmp_path):
    (tmp_path / "diary").mkdir()
    return tmp_path / "diary"


def test_twenty_kills_in_the_midst_of_work_leave_the_rows_of_an_unbroken_run(tmp_path):
    chance = random.Random(20)
    database = tmp_path / "runs" / "store.db"
    seed, kills = 0, {"runner": 0, "worker": 0}
    in_the_midst = 0  # kills that came after the first row of their run and before its last

    def options(seed):
        (tmp_path / str(seed)).mkdir(exist_ok=True)
        return {"walks": 200, "steps": [10, 50], "milliseconds": 15, "folder": str(tmp_path / str(seed)), "seed": seed}

    def kill(whom, pid):
        nonlocal in_the_midst
        os.kill(pid, signal.SIGKILL)
        kills[whom] += 1
        in_the_midst += 0 < rows_in(database) - 400 * seed < 400

    while sum(kills.values()) < 20 or min(kills.values()) < 5:
        runner = start_runner(tmp_path / "runs", "Diary", options(seed), jobs=JOBS)
        for turn in range(4):
            before = rows_in(database)
            wait_until(lambda before=before, runner=runner: rows_in(database) > before or runner.poll() is not None)
            time.sleep(chance.uniform(0, 0.1))
            workers = workers_of(runner.pid)
            if turn == 3 and runner.poll() is None:
                kill("runner", runner.pid)
            elif turn < 3 and workers:
                kill("worker", chance.choice(workers))
        wait_until(lambda workers=workers: not any(map(runs, workers)))
        if runner.wait() != -signal.SIGKILL:
            seed += 1  # all its work is done: go on with other work
        runner.communicate()

    assert in_the_midst >= 10
    times_run = []
    for done in range(seed + 1):
        status, _, complaints = run_to_end(tmp_path / "runs", "Diary", options(done), jobs=JOBS)
        assert (status, complaints) == (0, "")
        params = Diary.Params(**options(done))
        rows = rows_of(Store(tmp_path / "runs"), Diary, params)
        times_run += [len(file.read_text().splitlines()) for file in (tmp_path / str(done)).iterdir()]
        assert rows.complete
        assert len(rows) == 400
        unbroken, still = Walks(), Walks.Params(walks=200, milliseconds=0, seed=done)
        assert all(row == unbroken.run(row.cell, still).of(row.cell) for row in rows)
    assert sum(run.done for run in Store(tmp_path / "runs").runs()) == len(times_run) == 400 * (seed + 1)
    again = sum(times_run) - len(times_run)
    assert 0 < again <= kills["worker"] + JOBS * kills["runner"]  # cells were cut off, and what was finished is never run again


def test_a_worker_killed_once_costs_nothing_but_time(tmp_path, diary):
    runner = start_runner(tmp_path / "runs", "Diary", {"walks": 8, "steps": [10], "milliseconds": 200, "folder": str(diary)}, jobs=1)
    wait_until(lambda: list(diary.iterdir()))
    (worker,) = workers_of(runner.pid)
    os.kill(worker, signal.SIGKILL)
    out, err = runner.communicate(timeout=60)
    assert (runner.returncode, err) == (0, "")
    assert "8 rows, 0 errors" in out
    assert 8 <= sum(len(file.read_text().splitlines()) for file in diary.iterdir()) <= 9


def test_ctrl_c_keeps_finished_cells_and_ends_every_process_quietly(tmp_path, diary):
    options = {"walks": 200, "steps": [10], "milliseconds": 20, "folder": str(diary)}
    runner = start_runner(tmp_path / "runs", "Diary", options)
    wait_until(lambda: len(list(diary.iterdir())) > 20)
    workers = workers_of(runner.pid)
    os.killpg(runner.pid, signal.SIGINT)
    _, err = runner.communicate(timeout=30)
    assert err == "interrupted\n"
    assert not any(map(runs, workers))
    store = Store(tmp_path / "runs")
    rows = rows_of(store, Diary, Diary.Params(**options))
    assert len(rows) >= 18
    assert len(rows.missing) == 200 - len(rows) > 0
    assert store.runs()[0].state == "stopped"
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from leases").scalar() == 0


def test_a_cell_that_kills_its_worker_is_tried_twice_then_recorded_and_the_rest_goes_on(tmp_path):
    store = Store(tmp_path / "runs")
    params = Moody.Params(folder=str(tmp_path), moods=("kills", "kills oddly", "leaves", "good"))
    (outcome,) = run_experiments([(Moody, params, "quick")], store, jobs=2)
    assert [row.mood for row in outcome.rows] == ["good"]
    assert [(error.kind, error.message) for error in outcome.errors] == [
        ("crashed", "the worker process was killed by SIGKILL"),
        ("crashed", "the worker process was killed by signal 40"),
        ("crashed", "the worker process ended itself"),
    ]
    assert [len((tmp_path / f"{mood} was run").read_text()) for mood in params.moods] == [2, 2, 2, 1]
    assert (outcome.ok, outcome.claims) == (False, ())
    (tmp_path / "calm").touch()
    (again,) = run_experiments([(Moody, params, "quick")], store, jobs=2)
    assert again.ok
    assert len((tmp_path / "good was run").read_text()) == 1
    assert store.runs()[0].failed == 0
