"""`tegum run`, `reproduce` and `status`: what they write, keep and answer with."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from tegum import parts


def test_a_run_judges_its_claims_and_a_second_run_finds_its_cells_in_the_store(tegum, tegum_here, tmp_path):
    first = tegum("run", "coin_flips", "--json")
    assert first.code == 0, first.err
    (told,) = first.json
    assert (told["experiment"], told["id"], told["preset"], told["ok"]) == ("coin_flips", "T1", "quick", True)
    assert [claim["verdict"] for claim in told["claims"]] == ["holds", "refuted"]
    assert all(claim["as_recorded"] for claim in told["claims"])
    assert [row["heads"] for row in told["rows"]] == [0.25, 0.5]
    assert told["rows"][0]["nothing"] is None  # NaN, which JSON lacks
    assert "coin_flips: 2/2 cells" in first.err
    assert (tmp_path / "runs" / "store.db").exists()

    again = tegum("run", "T1")
    assert again.code == 0
    assert "2 from the store" in again.err
    assert "holds     the last coin is what it is claimed to be: " in again.out
    assert "2 claims: 1 holds, 1 refuted; all as on record" in again.out

    status = tegum_here("status", "--json")
    assert status.code == 0
    assert [(run["experiment"], run["done"], run["total"], run["failed"], run["state"]) for run in status.json] == [
        ("coin_flips", 2, 2, 0, "finished")
    ]
    assert "2/2" in tegum_here("status").out
    assert "claims that this store holds\n  quick\n    holds" in tegum_here("info", "coin_flips").out
    assert [claim["verdict"] for claim in tegum_here("info", "coin_flips", "--json").json["claims"]] == ["holds", "refuted"]


def test_lists_in_set_make_a_grid_and_every_point_of_it_is_run(tegum):
    answer = tegum("run", "coin_flips", "--set", "flips=100,400", "--set", "seed=0,1", "--set", "heads=.5", "--json", "-j", "1")
    assert sorted((told["params"]["flips"], told["params"]["seed"]) for told in answer.json) == [(100, 0), (100, 1), (400, 0), (400, 1)]
    assert all(told["params"]["heads"] == [0.5] for told in answer.json)


def test_a_verdict_that_differs_from_the_record_is_exit_1(tegum, tegum_here):
    answer = tegum("run", "coin_flips", "--set", "claimed=.9")
    assert answer.code == 1
    assert "refuted   (on record: holds) the last coin" in answer.out
    assert "1 not as on record" in answer.out
    status = tegum_here("status")
    assert status.code == 1
    assert "(on record: holds)" in status.out


def test_a_cell_that_fails_is_exit_1_with_its_cell_and_reason(tegum, tegum_here, monkeypatch):
    assert tegum_here("reproduce", "coin_flips").code == 0
    answer = tegum("run", "coin_flips", "--set", "broken_at=.25", "--json")
    assert answer.code == 1
    assert [(error["cell"], error["kind"]) for error in answer.json[0]["errors"]] == [({"heads": 0.25}, "raised")]
    assert "the coin is broken" in answer.json[0]["errors"][0]["message"]
    assert answer.json[0]["claims"] == []
    status = tegum_here("status")
    assert status.code == 1
    assert re.search(r"^coin_flips +1 +finished +1/2 +1 .* quick broken_at=0.25$", status.out, re.MULTILINE)
    assert re.search(r"^coin_flips +1 +finished +2/2 +0 .* quick$", status.out, re.MULTILINE)
    assert status.out.endswith("2 claims: 1 holds, 1 refuted; all as on record; 1 failure\n")

    monkeypatch.setattr(parts.find("experiments", "coin_flips"), "version", 2)
    status = tegum_here("status")
    assert status.code == 0  # what failed is not of the present version
    assert "1, superseded" in status.out
    assert status.out.endswith("no claims judged\n")


def test_claims_that_raise_are_exit_1_then_and_in_the_status(tegum_here, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(parts.find("experiments", "coin_flips"), "claims", lambda self, rows: [1 // 0])
        assert tegum_here("run", "coin_flips").code == 1
    status = tegum_here("status")
    assert status.code == 1
    assert "coin_flips (quick): claims failed: ZeroDivisionError" in status.out
    assert status.out.endswith("no claims judged; 1 failure\n")
    assert tegum_here("status", "--json").json[0]["claims_failure"].startswith("ZeroDivisionError")
    assert tegum_here("run", "coin_flips").code == tegum_here("status").code == 0


def test_a_claim_that_this_tegum_cannot_read_is_one_line_in_every_command(tegum_here, tmp_path):
    assert tegum_here("run", "coin_flips").code == 0
    with closing(sqlite3.connect(tmp_path / "runs" / "store.db")) as store, store:
        store.execute("""UPDATE claims SET claim = json_set(claim, '$.colour', 'red')""")
    for command in (["info", "coin_flips"], ["status"], ["report"]):
        answer = tegum_here(*command)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert "'colour', which this tegum does not know" in answer.err


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_an_interrupted_run_keeps_what_is_done_says_so_and_resumes(tegum, environment, tmp_path):
    heads = ",".join(str(i / 100) for i in range(30))
    arguments = ("run", "coin_flips", "--set", f"heads={heads}", "--set", "seconds=0.1", "--set", "claimed=.29", "-j", "1")
    command = [sys.executable, "-m", "tegum", *arguments]
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/store.db")) and time.monotonic() < deadline:
        time.sleep(0.05)
    wait_for_rows(tmp_path / "runs" / "store.db", deadline)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("tegum: interrupted; ")
    assert last.endswith(" of 30 cells are kept in 'runs', and the same command does the rest")
    kept = int(last.split()[2])
    assert 0 < kept < 30
    again = tegum(*arguments[:4], "--set", "seconds=0.1", "--set", "claimed=.29", "-j", "4")
    assert again.code == 0, again.out
    assert "30/30 cells" in again.err
    assert int(again.err.split(" from the store")[0].rsplit(" ", 1)[1]) >= kept


def wait_for_rows(database, deadline):
    import sqlite3

    while time.monotonic() < deadline:
        try:
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                if connection.execute("select count(*) from rows").fetchone()[0] > 2:
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.05)
    pytest.fail("no rows within the time")


def test_reproduce_fails_for_an_experiment_that_is_broken_and_skips_one_that_lacks_a_package(tegum_here, monkeypatch):
    reasons = {
        "ModuleNotFoundError: No module named 'an_extra.inner'": 0,
        "ModuleNotFoundError: No module named 'tegum.gone'": 1,
        "ModuleNotFoundError: No module named 'torn'": 1,  # an entry point that leads nowhere
        "SyntaxError: invalid syntax": 1,
    }
    coin, listed = parts.find("experiments", "coin_flips"), parts.survey()
    for reason, code in reasons.items():
        torn = parts.Part("experiments", "torn", "torn", "", reason=reason)
        with monkeypatch.context() as patched:
            patched.setattr(parts, "discover", lambda room: {"coin_flips": coin})
            patched.setattr(parts, "survey", lambda torn=torn: [*listed, torn])
            answer = tegum_here("reproduce")
        assert (answer.code, reason) == (code, reason)
        assert f"{'failed' if code else 'skipped'}: torn is not available: {reason}" in answer.err


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), RuntimeError("worker processes do not start")], ids=str)
def test_a_run_that_cannot_go_on_is_one_line_and_no_bad_input(tegum_here, monkeypatch, error):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr("tegum.store.lab.run_experiments", stop)
    answer = tegum_here("run", "coin_flips")
    assert (answer.code, answer.err) == (1, f"tegum: the run stopped: {error}\n")
