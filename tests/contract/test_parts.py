"""Discovery: a file in a room is a part of it, with no other edit; what cannot be had is listed with its reason."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tegum import parts

BASE = "from abc import ABC, abstractmethod\n\nclass Fruit(ABC):\n    @abstractmethod\n    def juice(self): ...\n"
APPLE = '"""A red fruit."""\nfrom {package}._base import Fruit\n\nclass Apple(Fruit):\n    def juice(self): return 1\n'


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A room of its own, `fruits`, with one part; the package's folder."""
    package = "scratch_fruits"
    folder = tmp_path / "path" / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "_base.py").write_text(BASE)
    (folder / "apple.py").write_text(APPLE.format(package=package))
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(parts, "ROOMS", {"fruits": (f"{package}._base", "Fruit")})
    monkeypatch.setattr(parts, "_PACKAGES", {"fruits": package})
    monkeypatch.setattr(parts, "__file__", str(folder / "parts.py"))  # what the cache's fingerprint is taken of
    monkeypatch.setenv("TEGUM_CACHE_DIR", str(tmp_path / "cache"))
    forget()
    yield folder
    forget()
    for name in [name for name in sys.modules if name.startswith(("scratch_fruits", "elsewhere"))]:
        del sys.modules[name]


def forget() -> None:
    """As a new process would."""
    importlib.invalidate_caches()
    parts.discover.cache_clear()
    parts._walk.cache_clear()


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    forget()


def install(folder: Path, entry_points: str, name: str = "elsewhere") -> None:
    """Metadata of a third party's package."""
    write(folder, f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    write(folder, f"{name}-1.dist-info/entry_points.txt", entry_points)


def fruit(name: str) -> str:
    return f"from scratch_fruits._base import Fruit\n\nclass {name}(Fruit):\n    def juice(self): return 2\n"


def test_a_file_added_to_a_room_is_a_part_of_it(room):
    assert list(parts.discover("fruits")) == ["Apple"]
    write(room, "pear.py", fruit("Pear"))
    assert list(parts.discover("fruits")) == ["Apple", "Pear"]
    assert parts.find("fruits", "Pear")().juice() == 2


def test_folders_of_a_room_are_walked(room):
    write(room, "citrus/__init__.py", "")
    write(room, "citrus/lemon.py", fruit("Lemon"))
    assert "Lemon" in parts.discover("fruits")


def test_files_and_classes_that_begin_with_an_underscore_are_no_parts(room):
    write(room, "_plum.py", fruit("Plum"))
    write(room, "_stone/__init__.py", "")
    write(room, "_stone/peach.py", fruit("Peach"))
    write(room, "kiwi.py", fruit("_Kiwi"))
    assert list(parts.discover("fruits")) == ["Apple"]


def test_abstract_classes_and_imported_ones_are_no_parts(room):
    write(room, "berries.py", "from scratch_fruits._base import Fruit\nfrom scratch_fruits.apple import Apple\n\nclass Berry(Fruit): ...\n")
    assert list(parts.discover("fruits")) == ["Apple"]


def test_a_function_that_says_it_returns_the_rooms_base_is_a_part(room):
    write(room, "mix.py", "from scratch_fruits._base import Fruit\n\ndef mix(n: int) -> Fruit: ...\n\ndef weigh(n: int) -> float: ...\n")
    assert list(parts.discover("fruits")) == ["Apple", "mix"]


LAZY = "from tegum.parts import lazy\n\n__getattr__, __dir__ = lazy(__name__, 'fruits')\n"
MIX = "from scratch_fruits._base import Fruit\n\ndef mix() -> Fruit: return 3\n"


def again(name: str) -> ModuleType:
    """The package as a new process would first meet it."""
    for known in [known for known in sys.modules if known.startswith(name)]:
        del sys.modules[known]
    forget()
    return importlib.import_module(name)


@pytest.mark.parametrize("first", ["", "from scratch_fruits import mix\n"], ids=["", "imported by the room itself"])
@pytest.mark.parametrize("file_first", [True, False])
def test_a_function_is_found_under_its_name_although_its_file_has_the_same(room, file_first, first):
    write(room, "mix.py", MIX)
    write(room, "__init__.py", first + LAZY)
    package = again("scratch_fruits")
    if not file_first:
        assert package.mix() == 3
    file = importlib.import_module("scratch_fruits.mix")
    assert package.mix() == 3
    assert package.mix is file.mix
    namespace = {}
    exec("from scratch_fruits import mix\nfrom scratch_fruits.mix import mix as same", namespace)
    assert namespace["mix"] is namespace["same"] is file.mix


def test_a_third_partys_function_is_found_although_a_file_of_the_room_has_its_name(room):
    write(room.parent, "elsewhere.py", "from scratch_fruits._base import Fruit\n\ndef apple() -> Fruit: return 4\n")
    install(room.parent, "[tegum.fruits]\napple = elsewhere:apple\n")
    write(room, "__init__.py", LAZY)
    package = again("scratch_fruits")
    importlib.import_module("scratch_fruits.apple")
    assert package.apple() == 4


def test_files_and_folders_that_share_no_parts_name_are_attributes_once_imported(room):
    write(room, "__init__.py", "from scratch_fruits import apple\n" + LAZY)
    write(room, "citrus/__init__.py", "")
    write(room, "citrus/lemon.py", fruit("Lemon"))
    package = again("scratch_fruits")
    assert package.apple.Apple().juice() == 1
    assert package.Lemon is package.citrus.lemon.Lemon
    assert package._base.Fruit in package.Apple.__mro__
    with pytest.raises(AttributeError, match="module 'scratch_fruits' has no attribute 'pear'"):
        package.pear  # noqa: B018
    with pytest.raises(AttributeError, match="module 'scratch_fruits' has no attribute '_pear'"):
        package._pear  # noqa: B018


def test_two_parts_of_one_name_are_an_error_that_names_both_files(room):
    write(room, "other.py", fruit("Apple"))
    for ask in (lambda: parts.discover("fruits"), parts.survey, parts.survey, lambda: parts.find("fruits", "Apple")):
        with pytest.raises(parts.DuplicatePart, match=r"two parts named 'Apple': scratch_fruits\.apple and scratch_fruits\.other"):
            ask()
        forget()


def test_a_file_that_does_not_import_is_listed_with_its_reason_and_spoils_nothing(room):
    write(room, "durian.py", "import a_package_nobody_has\n")
    write(room, "rotten.py", "1 / 0\n")
    assert list(parts.discover("fruits")) == ["Apple"]
    reasons = {part.name: part.reason for part in parts.survey() if not part.available}
    assert reasons == {
        "durian": "ModuleNotFoundError: No module named 'a_package_nobody_has'",
        "rotten": "ZeroDivisionError: division by zero",
    }
    with pytest.raises(parts.UnknownPart, match="fruit 'durian' is not available: ModuleNotFoundError"):
        parts.find("fruits", "durian")


@pytest.mark.parametrize("error", ["import a_package_nobody_has", "1 / 0"])
def test_a_folder_that_does_not_import_is_listed_with_its_reason_and_spoils_nothing(room, error):
    write(room, "citrus/__init__.py", error)
    write(room, "citrus/lemon.py", fruit("Lemon"))
    assert list(parts.discover("fruits")) == ["Apple"]
    assert [part.name for part in parts.survey() if not part.available] == ["citrus"]
    with pytest.raises(parts.UnknownPart, match="fruit 'citrus' is not available: "):
        parts.find("fruits", "citrus")


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        ("fruits", "Aple", "no fruit named 'Aple'; did you mean 'Apple'?"),
        ("dictionaries", "gausian", "no dictionary named 'gausian'; did you mean 'gaussian'?"),
        ("losses", "SquareError", "no loss named 'SquareError'; did you mean 'SquaredError'?"),
    ],
)
def test_a_mistyped_name_gets_a_suggestion(request, kind, wrong, said):
    if kind == "fruits":
        request.getfixturevalue("room")
    with pytest.raises(parts.UnknownPart, match=re.escape(said)):
        parts.find(kind, wrong)


def test_third_parties_add_parts_through_an_entry_point_of_the_rooms_name(room):
    write(room.parent, "elsewhere.py", fruit("Mango"))
    install(room.parent, "[tegum.fruits]\nmango = elsewhere:Mango\n")
    assert list(parts.discover("fruits")) == ["Apple", "Mango"]


def test_two_entry_points_may_name_one_module(room):
    write(room.parent, "elsewhere.py", fruit("Mango") + fruit("Papaya"))
    install(room.parent, "[tegum.fruits]\nmango = elsewhere:Mango\npapaya = elsewhere:Papaya\n")
    assert list(parts.discover("fruits")) == ["Apple", "Mango", "Papaya"]


def test_a_survey_is_read_from_its_cache_until_a_file_changes(room, monkeypatch):
    first = parts.survey()
    assert [part.name for part in first] == ["Apple"]
    forget()
    with monkeypatch.context() as blocked:
        blocked.setattr(parts, "_walk", lambda _: pytest.fail("the cache was not used"))
        assert parts.survey() == first
    write(room, "pear.py", fruit("Pear"))
    assert [part.name for part in parts.survey()] == ["Apple", "Pear"]
    (room / "pear.py").unlink()
    forget()
    assert [part.name for part in parts.survey()] == ["Apple"]


def test_a_survey_sees_what_is_installed_in_any_folder_of_the_path_and_what_changes_there(room):
    assert not room.parent.name.endswith("-packages")
    assert [part.name for part in parts.survey()] == ["Apple"]
    write(room.parent, "elsewhere.py", fruit("Mango"))
    install(room.parent, "[tegum.fruits]\nmango = elsewhere\n")
    assert [part.name for part in parts.survey()] == ["Apple", "Mango"]
    write(room.parent, "elsewhere.py", '"""Stone fruits."""\n' + fruit("Mango"))
    del sys.modules["elsewhere"]
    assert [part.title for part in parts.survey()] == ["A red fruit.", "Stone fruits."]
    write(room.parent, "elsewhere_too.py", fruit("Papaya"))
    install(room.parent, "[tegum.fruits]\nmango = elsewhere\npapaya = elsewhere_too\n")
    assert [part.name for part in parts.survey()] == ["Apple", "Mango", "Papaya"]


def test_a_survey_notices_when_a_third_partys_broken_file_is_mended(room):
    write(room.parent, "elsewhere.py", "1 / 0\n")
    install(room.parent, "[tegum.fruits]\nmango = elsewhere\n")
    assert [part.available for part in parts.survey()] == [True, False]
    write(room.parent, "elsewhere.py", fruit("Mango"))
    assert [part.name for part in parts.survey() if part.available] == ["Apple", "Mango"]


@pytest.fixture
def orchard(room, monkeypatch):
    """The room as that of the experiments, whose parts are found one by one; with an apple, a pear, a durian that fails and a mango elsewhere."""
    monkeypatch.setattr(parts, "ROOMS", {"experiments": ("scratch_fruits._base", "Fruit")})
    monkeypatch.setattr(parts, "_PACKAGES", {"experiments": "scratch_fruits"})
    write(room, "pear.py", fruit("Pear") + "    id = 'F2'\n")
    write(room, "durian.py", "import a_package_nobody_has\n")
    write(room.parent, "elsewhere.py", fruit("Mango"))
    install(room.parent, "[tegum.experiments]\nmango = elsewhere:Mango\n")
    parts.survey()
    as_new()
    return room


def as_new() -> None:
    for name in [name for name in sys.modules if name.startswith(("scratch_fruits.", "elsewhere"))]:
        del sys.modules[name]
    forget()


def imported() -> set[str]:
    return {name.removeprefix("scratch_fruits.") for name in sys.modules if name.startswith(("scratch_fruits.", "elsewhere"))} - {"_base"}


@pytest.mark.parametrize(("asked", "file"), [("pear", "pear"), ("f2", "pear"), ("apple", "apple"), ("elsewhere", "elsewhere")])
def test_an_experiment_is_found_without_importing_the_others(orchard, asked, file):
    assert parts.find("experiments", asked).name == file
    assert imported() == {file}


def test_an_experiment_that_is_not_there_is_refused_without_importing_any(orchard):
    with pytest.raises(parts.UnknownPart, match=r"no experiment named 'paer'; did you mean 'pear'\?"):
        parts.find("experiments", "paer")
    with pytest.raises(parts.UnknownPart, match=r"no experiment named 'F3'; did you mean 'F2'\?"):
        parts.find("experiments", "F3")
    assert imported() == set()


def test_an_experiment_that_does_not_import_is_tried_again_and_refused_with_its_reason(orchard):
    with pytest.raises(parts.UnknownPart, match=r"experiment 'durian' is not available: ModuleNotFoundError: .*a_package_nobody_has"):
        parts.find("experiments", "durian")
    write(orchard, "durian.py", fruit("Durian"))
    assert parts.find("experiments", "durian").__name__ == "Durian"
    as_new()
    write(orchard, "pear.py", "1 / 0\n")
    with pytest.raises(parts.UnknownPart, match="experiment 'pear' is not available: ZeroDivisionError"):
        parts.find("experiments", "pear")


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"key": 1}', '{"key": null, "parts": [{"no": "part"}]}'])
def test_a_spoilt_cache_is_made_anew(room, spoilt):
    expected = parts.survey()
    parts._cache_file().write_text(spoilt)
    forget()
    assert parts.survey() == expected


def test_a_cache_that_cannot_be_written_costs_speed_alone(room, tmp_path, monkeypatch):
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("TEGUM_CACHE_DIR", str(tmp_path / "a-file"))
    assert [part.name for part in parts.survey()] == ["Apple"]


def test_the_survey_lists_what_discovery_finds_in_every_room(tmp_path, monkeypatch):
    monkeypatch.setenv("TEGUM_CACHE_DIR", str(tmp_path))
    for _ in range(2):  # taken anew, then read from its cache
        listed = parts.survey()
        for room in parts.ROOMS:
            found = parts.discover(room)
            assert [part.name for part in listed if part.room == room and part.available] == list(found)


def test_every_part_of_this_installation_says_what_it_is():
    silent = [f"{part.room} {part.name}" for part in parts.survey() if part.available and not part.title]
    assert silent == []


def test_a_room_lists_its_parts_and_says_why_a_name_is_not_there(room):
    write(room, "__init__.py", LAZY)
    write(room, "pear.py", "import no_such_package\n")
    package = again("scratch_fruits")
    assert dir(package) == ["Apple"]
    with pytest.raises(AttributeError, match=r"did you mean 'Apple'\?"):
        _ = package.aple
    with pytest.raises(AttributeError, match=r"scratch_fruits\.pear is not available: ModuleNotFoundError.*no_such_package"):
        _ = package.pear


@pytest.mark.parametrize(
    ("name", "known", "meant"), [("adamW", ["adam", "adamw"], "adamw"), ("TOPK", ["TopK"], "TopK"), ("a1", ["x", "A1"], "A1")]
)
def test_a_suggestion_is_spelt_as_the_part_is_and_case_is_no_difference(name, known, meant):
    assert parts.did_you_mean(name, known) == f"did you mean {meant!r}?"
