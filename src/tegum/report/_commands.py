"""The commands that a report prints: each, typed where the report was written, repeats what stands beside it."""

import shlex
from pathlib import Path

from tegum.store import Experiment, RunRecord, Store
from tegum.store.settings import changed_params


def repeat(store: Store, experiment: Experiment, run: RunRecord) -> str:
    """The command that repeats the run: its preset, whatever was set beside it, and the store."""
    preset = run.preset if run.preset in experiment.presets else next(iter(experiment.presets), "")
    changes = changed_params(experiment, preset, run.params)
    words = ["tegum", "run", experiment.name, *(("--preset", preset) if preset else ())]
    return shlex.join([*words, *(word for name, text in changes.items() for word in ("--set", f"{name}={text}")), *_place(store)])


def first_run(store: Store, name: str) -> str:
    """The command that runs an experiment for the first time."""
    return shlex.join(["tegum", "run", name, *_place(store)])


def run_all(store: Store) -> str:
    """The command that runs every experiment."""
    return shlex.join(["tegum", "reproduce", *_place(store)])


def _place(store: Store) -> list[str]:
    """The store as `--store` takes it; nothing for the one that commands use by themselves."""
    if store.url.get_backend_name() != "sqlite" or Path(store.url.database or "") != store.folder / "store.db":
        return ["--store", f"{store.url.render_as_string()}#{store.folder}"]
    here = Path.cwd()
    place = store.folder.relative_to(here) if store.folder.is_relative_to(here) else store.folder
    return [] if place == Path("runs") else ["--store", str(place)]
