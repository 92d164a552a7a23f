"""Bad input: exit code 2, one clear line on stderr, nothing on stdout, nothing written."""

import shutil
from pathlib import Path
from typing import get_args

import pytest

from tegum import parts

PLUGIN = Path(__file__).parent / "plugin"
EXPERIMENTS = parts.discover("experiments")


def refused(answer, tmp_path, *words):
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert answer.err.startswith("tegum: ")
    assert answer.err.count("\n") == 1, answer.err
    for word in words:
        assert word in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lst",), ["'lst'", "Did you mean 'list'?"]),
        (("list", "experimens"), ["'experimens'", "did you mean 'experiments'?"]),
        (("info", "coin_flip"), ["'coin_flip'", "did you mean 'coin_flips'?"]),
        (("run",), ["Missing argument"]),
        (("run", "coin_flip"), ["'coin_flip'", "did you mean 'coin_flips'?"]),
        (("run", "coin_flips", "--preset", "quik"), ["'quik'", "did you mean 'quick'?"]),
        (("run", "coin_flips", "--set", "flip=3"), ["'flip'", "did you mean 'flips'?"]),
        (("run", "coin_flips", "--set", "flips"), ["'flips'", "FIELD=VALUE"]),
        (("run", "coin_flips", "--set", "flips="), ["flips", "no value"]),
        (("run", "coin_flips", "--set", "flips=1,,2"), ["flips", "empty"]),
        (("run", "coin_flips", "--set", "flips=1", "--set", "flips=2"), ["flips", "twice"]),
        (("run", "coin_flips", "--set", "flips=0"), ["flips = 0", "greater than 0"]),
        (("run", "coin_flips", "--set", "flips=many"), ["flips = 'many'", "integer"]),
        (("run", "coin_flips", "--set", "heads=.5,1.5"), ["heads[1] = 1.5", "less than or equal to 1"]),
        (("run", "coin_flips", "--set", "heads=nan"), ["heads[0]", "nan"]),
        (("run", "coin_flips", "--set", "claimed=-inf"), ["claimed", "inf"]),
        (("run", "coin_flips", "--set", "seed=-1"), ["seed = -1"]),
        (("run", "coin_flips", "--set", "heads=[.5,"), ["heads", "JSON"]),
        (("run", "coin_flips", "--set", "heads=[]"), ["coin_flips: heads is empty; it must have at least one entry"]),
        (("run", "coin_flips", "--set", "heads=.5,.5"), ["the cell (heads=0.5) twice"]),
        (("run", "coin_flips", "--set", "flips=true"), ["flips = true", "not a bool"]),
        (("run", "coin_flips", "--set", f"seed={10**23}"), ["seed", "less than 9223372036854775808"]),
        (("run", "coin_flips", *(f"--set={name}={','.join('123456789')}" for name in ("flips", "seed", "seconds", "broken_at", "claimed"))),
         ["59,049 settings"]),
        (("run", "coin_flips", "--store", "/proc/nowhere"), ["/proc/nowhere", "No such file or directory"]),
        (("run", "coin_flips", "-j", "-3"), ["--jobs"]),
        (("run", "coin_flips", "--what"), ["--what"]),
        (("run", "coin_flips", "--store", "postgres://nobody@nowhere/x"), ["postgres"]),
        (("reproduce", "coin_flips", "A99"), ["'A99'"]),
        (("reproduce", "--preset", "papre"), ["'papre'", "did you mean 'paper'?"]),
        (("status",), ["no store at 'runs'"]),
        (("report",), ["no store at 'runs'"]),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_input_is_told_in_one_line_and_nothing_is_written(tegum_here, tmp_path, arguments, words):
    refused(tegum_here(*arguments), tmp_path, *words)


def test_a_real_process_ends_with_exit_code_2(tegum, tmp_path):
    refused(tegum("run", "coin_flips", "--set", "heads=2"), tmp_path, "heads[0] = 2")


@pytest.mark.parametrize(
    "arguments", [("list",), ("list", "--json"), ("list", "experiments"), ("info", "coin_flips"), ("run", "coin_flips")]
)
def test_two_experiments_of_one_name_are_refused_with_both_files(tegum_here, tmp_path, monkeypatch, arguments):
    other = tmp_path / "other"
    (other / "more").mkdir(parents=True)
    (other / "more" / "__init__.py").touch()
    (other / "more" / "coin_flips.py").write_text((PLUGIN / "coin_flips.py").read_text())
    (other / "more-1.dist-info").mkdir()
    (other / "more-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1\n")
    (other / "more-1.dist-info" / "entry_points.txt").write_text("[tegum.experiments]\ncoin_flips = more.coin_flips\n")
    monkeypatch.syspath_prepend(str(other))
    answer = tegum_here(*arguments)
    shutil.rmtree(other)
    refused(answer, tmp_path, "experiments has two parts named 'coin_flips': ", "more.coin_flips")


def test_cells_that_raise_are_told_in_one_line(tegum_here, tmp_path, monkeypatch):
    def cells(self, params):
        return [1 // params.seed]

    monkeypatch.setattr(parts.find("experiments", "coin_flips"), "cells", cells)
    refused(tegum_here("run", "coin_flips"), tmp_path, "coin_flips lists no cells at", "ZeroDivisionError")
    refused(tegum_here("run", "coin_flips", "--set", "seed=1"), tmp_path, "coin_flips lists no cells at", "TypeError")


def test_a_store_that_is_a_file_or_no_database_is_refused(tegum_here, tmp_path):
    (tmp_path / "file").write_text("no folder")
    answer = tegum_here("run", "coin_flips", "--store", "file")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "store.db").write_text("no database, but long enough to be looked at as if it were one " * 20)
    answer = tegum_here("run", "coin_flips", "--store", "folder")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "not a database" in answer.err


def has_number(annotation):
    return annotation in (int, float) or any(has_number(inner) for inner in get_args(annotation))


FIELDS = [
    (name, field) for name, part in EXPERIMENTS.items() for field, info in part.Params.model_fields.items() if has_number(info.annotation)
]
NONE_YET = [pytest.param("", "", "", marks=pytest.mark.skip("no experiments here"))]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [pytest.param(name, field, value, id=f"{name} {field}={value}") for name, field in FIELDS for value in ("nan", "inf", "-inf", "words")]
    or NONE_YET,
)
def test_no_parameter_of_any_experiment_may_be_nan_infinite_or_a_word(tegum_here, tmp_path, name, field, value):
    refused(tegum_here("run", name, "--set", f"{field}={value}"), tmp_path, name, field)
