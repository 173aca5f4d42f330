"""The structure in figures: files, lines, rooms, arrows between them, circles of imports.

    python -m bench.structure                 # this checkout
    python -m bench.structure --root ../old   # another one, to compare

A room is a direct child of a house: a folder, or a file beside the folders. An arrow is a pair of
rooms of which one imports the other; circles are files that import each other, directly or not.
Imports inside functions and for type checking count.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grimp

PACKAGES = ("pki", "iotprov", "estserver")
HOUSES = ("pki", "iotprov", "estserver", "estserver.deploy")


@dataclass(frozen=True)
class House:
    """What one package measures."""

    name: str
    files: int
    lines: int
    longest: int
    rooms: int
    arrows: int
    circles: tuple[tuple[str, ...], ...]


def measure(root: Path) -> Iterator[House]:
    """Measure each house of the checkout at ``root``."""
    sys.path.insert(0, str(root))
    graph = grimp.build_graph(*PACKAGES)
    for house in HOUSES:
        yield _measure_house(house, graph, root)


def _measure_house(house: str, graph: grimp.ImportGraph, root: Path) -> House:
    lengths = [
        len(path.read_text(encoding="utf-8").splitlines())
        for path in (root / house.replace(".", "/")).rglob("*.py")
        if "migrations" not in path.parts
    ]
    modules = [
        module
        for module in graph.modules
        if module.startswith(f"{house}.") and ".migrations" not in module
    ]
    room_of = {module: module.removeprefix(f"{house}.").split(".")[0] for module in modules}
    arrows = {
        (room_of[module], room_of[imported])
        for module in modules
        for imported in graph.find_modules_directly_imported_by(module)
        if imported in room_of and room_of[module] != room_of[imported]
    }
    return House(
        name=house,
        files=len(lengths),
        lines=sum(lengths),
        longest=max(lengths),
        rooms=len({*room_of.values()}),
        arrows=len(arrows),
        circles=tuple(_circles(graph, modules)),
    )


def _circles(graph: grimp.ImportGraph, modules: list[str]) -> Iterator[tuple[str, ...]]:
    """Each set of files that all import one another, directly or through others."""
    remaining = {*modules}
    while remaining:
        module = remaining.pop()
        both = graph.find_upstream_modules(module) & graph.find_downstream_modules(module)
        if others := (both - {module}) & {*modules}:
            remaining -= others
            yield tuple(sorted({module, *others}))


def main() -> None:
    """Print a table, and below it each circle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout to measure")
    houses = list(measure(parser.parse_args().root.resolve()))
    print("| package | files | lines | longest file | rooms | arrows | circles |")
    print("|---|---|---|---|---|---|---|")
    for house in houses:
        print(
            f"| {house.name} | {house.files} | {house.lines:,} | {house.longest} "
            f"| {house.rooms} | {house.arrows} | {len(house.circles)} |"
        )
    for house in houses[:3]:
        for circle in house.circles:
            print("circle:", ", ".join(circle))


if __name__ == "__main__":
    main()
