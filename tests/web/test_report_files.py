"""What a report's folder holds: the page's words, the files to download, and the commands that repeat it."""

import html
import json
import re
import resource
import shlex
from itertools import pairwise

import pandas as pd
import pytest
from report_samples import Fragile, Odd, Packed
from safetensors.numpy import load_file

from tegum.report import build
from tegum.store import Store, params_grid


def commands_of(page):
    return [html.unescape(command) for command in re.findall(r'<div class="command"><code>(.*?)</code>', page)]


def asked_for(command, experiment):
    words = shlex.split(command)
    options = [pair for pair in pairwise(words) if pair[0].startswith("--")]
    changes = dict(word.split("=", 1) for option, word in options if option == "--set")
    (params,) = params_grid(experiment, dict(options)["--preset"], changes)
    return words[:3], params, dict(options).get("--store")


def test_the_folder_is_whole_and_small(report):
    page = report.read_text()
    assert page.count('src="plotly.min.js"') == 1
    assert page.count("plotly.js v") == 0
    assert sorted(f.name for f in report.parent.iterdir()) == ["claims.json", "data", "index.html", "plotly.min.js"]
    assert sum(f.stat().st_size for f in report.parent.rglob("*") if f.is_file()) < 15e6


def test_rows_and_claims_are_there_to_download(report):
    links = re.findall(r'<a href="([^"]*)" download>', report.read_text())
    assert links[:5] == ["claims.json", *(f"data/packed.{kind}" for kind in ("csv", "parquet", "json", "safetensors"))]
    assert load_file(report.parent / links[4])["W"].shape == (5, 5, 2)
    csv, parquet = pd.read_csv(report.parent / links[1]), pd.read_parquet(report.parent / links[2])
    pd.testing.assert_frame_equal(csv, parquet, rtol=1e-15)
    assert len(csv) == len(json.loads((report.parent / links[3]).read_text())) == 5
    verdicts = [claim["verdict"] for claim in json.loads((report.parent / links[0]).read_text())]
    assert verdicts.count("refuted") == 1


def test_rows_that_a_format_does_not_take_cost_that_format_alone(laboratory, tmp_path):
    page = build(laboratory, tmp_path, [Packed, Odd]).read_text()
    assert "rows as parquet</b> <span class='kind'>not written" in page
    assert 'href="data/odd.csv"' in page
    assert not (tmp_path / "data" / "odd.parquet").exists()
    assert "a half stays a half \\udc80" in page
    assert 'href="data/packed.parquet"' in page


def test_claims_are_json_where_a_bound_is_open_and_an_estimate_missing(laboratory, tmp_path):
    build(laboratory, tmp_path, [Odd])
    (claim,) = json.loads((tmp_path / "claims.json").read_text(), parse_constant=pytest.fail)
    assert (claim["bounds"], claim["estimate"]) == ([0.5, None], None)


def test_the_preset_stands_for_the_experiment_and_every_other_setting_is_told(laboratory, tmp_path):
    page = build(laboratory, tmp_path, [Packed, Fragile]).read_text()
    assert [asked_for(command, e)[1] for command, e in zip(commands_of(page), (Packed, Fragile), strict=True)] == [
        Packed.presets["quick"],
        Fragile.presets["quick"],
    ]
    assert "<code>quick steps=7</code>: 5 of 5 cells, 4 holds, 1 refuted, 1 undecided, 1 not as on record</li>" in page
    assert '<li class="amiss"><code>quick broken=true</code>: 0 of 1 cells, 1 failed</li>' in page
    assert " or so&quot;</code>: 1 of 1 cells, 1 refuted, 1 not as on record</li>" in page
    assert "<span>failures 1, 1 at other settings</span>" in page
    assert page.count("<details open>") == 2


def test_a_section_tells_how_to_repeat_it_and_what_waits_is_listed(report, laboratory):
    page = report.read_text()
    words, params, place = asked_for(commands_of(page)[0], Packed)
    assert (words, params, place) == (["tegum", "run", "packed"], Packed.presets["quick"], str(laboratory.folder))
    assert f"<code>tegum run unrun --store {laboratory.folder}</code>" in page
    assert "1 of 2 cells have a row; the run is finished. Claims are judged once every cell has one." in page


@pytest.mark.parametrize(
    ("place", "named"), [("runs", None), ("kept/here", "kept/here"), ("sqlite:///runs/other.db", "sqlite:///runs/other.db#{cwd}/runs")]
)
def test_the_store_is_named_where_it_is_not_the_one_that_commands_use(tmp_path, monkeypatch, place, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    words = shlex.split(commands_of(build(Store(place), "report", [Packed]).read_text())[0])
    assert words == ["tegum", "reproduce", *(["--store", named.format(cwd=tmp_path)] if named else [])]


def test_a_report_that_cannot_be_written_leaves_the_last_one_whole(laboratory, tmp_path):
    build(laboratory, tmp_path, [Packed])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            build(laboratory, tmp_path, [Packed, Fragile])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
