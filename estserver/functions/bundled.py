"""A function's modules out of one file, in place of hundreds.

For each module that it imports Python looks through directories, then opens and reads a file: a
tenth of a cold start here, and more where a package's files are fetched as they are read.
`estserver.deploy.package.bundle` writes the byte code of those that every start needs into one
file, which exists in packages only. A module that isn't in it is imported as ever.
"""

import marshal
import sys
from collections.abc import Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

FILE_NAME = "modules.bundle"

Index = Mapping[str, tuple[bool, int, int]]
"""A module's name; whether it is a package; where its byte code begins, and ends."""


class _Loader(SourceFileLoader):
    """Python's own, for which the byte code is at hand."""

    def __init__(self, fullname: str, path: str, byte_code: memoryview) -> None:
        super().__init__(fullname, path)
        self._byte_code = byte_code

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = marshal.loads(self._byte_code)  # noqa: S302 - of our own package
        return code


class BundleFinder(MetaPathFinder):
    """Finds what is in the bundle of a package."""

    def __init__(self, root: str, index: Index, contents: bytes) -> None:
        self._root = root
        self._index = index
        self._contents = memoryview(contents)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Where the module is; ``None`` when it isn't in the bundle."""
        entry = self._index.get(fullname)
        if entry is None:
            return None
        is_package, start, end = entry
        place = f"{self._root}/{fullname.replace('.', '/')}"
        file = f"{place}/__init__.py" if is_package else f"{place}.py"
        return spec_from_file_location(
            fullname,
            file,
            loader=_Loader(fullname, file, self._contents[start:end]),
            submodule_search_locations=[place] if is_package else None,
        )


def use_bundle(root: Path = Path(__file__).parents[2]) -> None:
    """Import from the bundle of the package at ``root`` from now on, if it has one."""
    try:
        with (root / FILE_NAME).open("rb") as file:
            index: Index = marshal.load(file)  # noqa: S302 - of our own package
            contents = file.read()
    except FileNotFoundError:
        return
    sys.meta_path.insert(0, BundleFinder(str(root), index, contents))
