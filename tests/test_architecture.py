"""Which way imports run: down the floors, never in a circle, never from one paper's wing to another's."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import nc_runner

PACKAGE = Path(nc_runner.__file__).parent
ROOM_LINES = 250

# From the top. A room may import rooms below its floor, and nothing beside or above it.
FLOORS = (
    ("cli",),
    ("run",),
    ("experiments",),
    ("training",),
    ("record",),
    ("data", "models", "measure"),
    ("config",),
    ("metrics", "theory", "figures", "rng", "errors"),
)
LEVEL = {room: len(FLOORS) - floor for floor, rooms in enumerate(FLOORS) for room in rooms}
WINGS = ("pan2023", "ji2022", "zangrando2026", "jacot2025", "ours")

# Within experiments: the finder of experiments, the papers' wings, what they share.
INSIDE = {
    "": 5,
    **dict.fromkeys(WINGS, 4),
    "needs": 3,
    "decay": 2,
    "measures": 2,
    "noise": 1,
    "base": 1,
    "papers": 0,
    "claim": 0,
}


def modules(package: Path) -> dict[str, Path]:
    """Every module by its dotted name; a package by its own."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that one imports, wherever in its text it does."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            module = ".".join([*parts, *filter(None, [node.module])]) if node.level else str(node.module)
            for alias in node.names:
                if f"{module}.{alias.name}" in known:
                    yield f"{module}.{alias.name}"
                elif module in known:
                    yield module


def faults(package: Path) -> list[str]:
    """What is against the rules, in a sentence each."""
    known = modules(package)
    arrows = {name: set(imports(name, path, known)) - {name} for name, path in known.items()}
    found = [
        f"{name} imports {other}, which is not below it"
        for name, others in arrows.items()
        for other in others
        if not below(name, other)
    ]
    arrows.pop(package.name, None)  # its one import is late, when somebody asks for open_run
    try:
        tuple(graphlib.TopologicalSorter(arrows).static_order())
    except graphlib.CycleError as error:
        found.append(f"a circle: {' -> '.join(error.args[1])}")
    return sorted(found)


def below(name: str, other: str) -> bool:
    """Whether a module may import another one."""
    room, wing = [*name.split("."), "", ""][1:3]
    other_room, other_wing = [*other.split("."), "", ""][1:3]
    if not room:  # the package itself, which is a door to the run folder
        return other == "nc_runner.run.opened"
    if not other_room:  # and holds its version
        return True
    if room == "__main__":
        return other_room == "cli"
    if room != other_room:
        return LEVEL[room] > LEVEL[other_room]
    if room == "experiments" and wing != other_wing:
        return INSIDE[wing] > INSIDE[other_wing]
    return True


def test_imports_run_down_the_floors_without_circles_and_wings_keep_apart() -> None:
    assert faults(PACKAGE) == []


def test_every_room_is_on_a_floor_and_says_in_a_line_what_it_is() -> None:
    known = modules(PACKAGE)
    assert {name.split(".")[1] for name in known if "." in name} - {"__main__"} == set(LEVEL)
    assert {name.split(".")[2] for name in known if name.startswith("nc_runner.experiments.")} == set(INSIDE) - {""}
    for name, path in known.items():
        if path.name == "__init__.py":
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert docstring, name
            assert docstring.splitlines()[0].endswith("."), name


def test_the_rooms_are_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 6
    assert len(list((PACKAGE / "experiments").glob("*.py"))) <= 7
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules(PACKAGE).items()}
    assert {name: count for name, count in lines.items() if count > ROOM_LINES} == {}


def test_an_experiment_that_is_a_folder_has_three_modules_and_no_more() -> None:
    """Or two, where it measures as another does."""
    for wing in WINGS:
        for folder in (PACKAGE / "experiments" / wing).iterdir():
            if (folder / "__init__.py").exists():
                names = {path.name for path in folder.glob("*.py")}
                assert names | {"measure.py"} == {"__init__.py", "measure.py", "figures.py", "claims.py"}, folder.name


PLANTED = {
    "upward": ("config/planted.py", "from nc_runner.run.plan import Plan", "config.planted imports nc_runner.run.plan"),
    "upward, in a function": (
        "metrics/planted.py",
        "def f() -> None:\n    import nc_runner.config.schema",
        "metrics.planted imports nc_runner.config.schema",
    ),
    "relative, upward": (
        "data/planted.py",
        "from ..training import sgd",
        "data.planted imports nc_runner.training.sgd",
    ),
    "beside": ("data/planted.py", "from nc_runner.models import mlp", "data.planted imports nc_runner.models.mlp"),
    "wing to wing": (
        "experiments/pan2023/planted.py",
        "from nc_runner.experiments.ji2022.laws import REACH",
        "pan2023.planted imports nc_runner.experiments.ji2022.laws",
    ),
    "what wings share to a wing": (
        "experiments/measures/planted.py",
        "from nc_runner.experiments.ji2022.laws import REACH",
        "measures.planted imports nc_runner.experiments.ji2022.laws",
    ),
    "circle": ("theory/planted.py", "from nc_runner.theory import planted_too", "a circle"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_import_is_seen(planted: str, tmp_path: Path) -> None:
    """The rules of this file can be broken: each of these imports is found by itself."""
    where, text, sentence = PLANTED[planted]
    package = tmp_path / "nc_runner"
    for name, path in modules(PACKAGE).items():
        copy = package / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8") if name else "", encoding="utf-8")
    (package / where).write_text(text)
    (package / "theory" / "planted_too.py").write_text(
        "from nc_runner.theory import planted" if planted == "circle" else ""
    )
    (found,) = set(faults(package)) - set(faults(PACKAGE))
    assert sentence in found
