"""Where a number comes from, without what is nobody's business."""

import subprocess
import sys

import pytest

from tegum.store.provenance import git_state, provenance, without_passwords


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://me:se/c:ret@host:5432/lab#/shared", "postgresql://me:***@host:5432/lab#/shared"),
        ("--store=mysql+pymysql://me:secret@host/lab", "--store=mysql+pymysql://me:***@host/lab"),
        ("postgresql://me@host/lab?sslmode=require&password=secret", "postgresql://me@host/lab?sslmode=require&password=***"),
        ("postgresql://me@host:5432/lab", "postgresql://me@host:5432/lab"),
        ("sqlite:///runs/store.db", "sqlite:///runs/store.db"),
        ("density=.05,.1", "density=.05,.1"),
    ],
)
def test_no_password_is_told(text, told):
    assert without_passwords(text) == told


def test_the_recorded_command_has_no_password(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tegum", "run", "--store", "postgresql://me:secret@host/lab#here"])
    assert provenance()["command"] == ["tegum", "run", "--store", "postgresql://me:***@host/lab#here"]


def test_the_commit_is_that_of_a_checkout_that_keeps_track_of_the_files(tmp_path):
    def git(*words):
        named = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", tmp_path, *named, *words], check=True, capture_output=True)

    ours, installed = tmp_path / "src", tmp_path / "venv" / "tegum"
    for folder in (ours, installed):
        folder.mkdir(parents=True)
        (folder / "code.py").touch()
    assert git_state(ours) is None
    git("init")
    git("add", "src")
    git("commit", "-m", "first")
    state = git_state(ours)
    assert len(state["commit"]) == 40
    assert state["dirty"]  # venv/ is not ignored here
    assert git_state(installed) is None
