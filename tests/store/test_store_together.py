"""Two runs on one store share the work: no cell is computed twice while its owner lives, and a dead owner's cells are taken over."""

import subprocess
import sys
import time

import sqlalchemy as sa
from store_laboratory import Diary, Walks
from store_processes import start_runner

from tegum.store import Store, rows_of, run_experiments
from tegum.store.database import insert_once, leases
from tegum.store.experiment import cell_key
from tegum.store.leases import Leases, is_dead, this_process

ONE = Walks.Params(walks=1, steps=(10,))


def test_two_runs_at_once_compute_every_cell_once(tmp_path):
    diary = tmp_path / "diary"
    diary.mkdir()
    options = {"walks": 150, "steps": [10], "milliseconds": 40, "folder": str(diary)}
    runners = [start_runner(tmp_path / "runs", "Diary", options, jobs=1) for _ in range(2)]
    ends = [(*runner.communicate(timeout=60), runner.returncode) for runner in runners]
    assert [end[1:] for end in ends] == [("", 0), ("", 0)]
    assert all("150 rows, 0 errors" in out for out, _, _ in ends)
    assert [len(file.read_text().splitlines()) for file in diary.iterdir()] == [1] * 150
    store = Store(tmp_path / "runs")
    assert rows_of(store, Diary, Diary.Params(**options)).complete
    with store.engine.connect() as connection:
        shares = connection.exec_driver_sql("select count(*) from rows group by run").scalars().all()
    assert sum(shares) == 150
    assert len(shares) == 2


def lease(store, process, seconds):
    store.create()
    with store.engine.begin() as connection:
        key = cell_key(Walks(), ONE, Walks().cells(ONE)[0])
        assert insert_once(connection, leases, key=key, owner="another", process=process, expires=time.time() + seconds)


def test_a_lease_whose_owner_is_dead_on_this_machine_is_taken_over_at_once(tmp_path):
    gone = subprocess.run(
        [sys.executable, "-c", "from tegum.store.leases import this_process; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
    )
    store = Store(tmp_path / "runs")
    lease(store, gone.stdout.strip(), seconds=1e6)
    (outcome,) = run_experiments([(Walks, ONE, "quick")], store, jobs=1)
    assert outcome.ok


def test_a_lease_held_on_another_machine_is_waited_for_until_it_expires(tmp_path):
    store = Store(tmp_path / "runs")
    lease(store, "another machine|1|1", seconds=3)
    expires = time.time() + 2.9
    (outcome,) = run_experiments([(Walks, ONE, "quick")], store, jobs=1)
    assert outcome.ok
    assert time.time() > expires


def test_a_living_owner_keeps_its_lease_and_renews_it(tmp_path):
    store = Store(tmp_path / "runs")
    store.create()
    with Leases(store.engine, seconds=0.4) as mine, Leases(store.engine) as yours:
        assert mine.take("cell")
        assert mine.take("cell")
        time.sleep(1.0)
        assert not yours.take("cell")
        mine.give_back("cell")
        assert yours.take("cell")
        assert not mine.take("cell")
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(leases)).all() == []


def test_a_process_is_known_by_more_than_its_id():
    assert not is_dead(this_process())
    machine, pid, started = this_process().rsplit("|", 2)
    assert is_dead(f"{machine}|{pid}|{started}1")  # the same id, given again to a later process
    assert not is_dead(f"elsewhere|{pid}|{started}1")
