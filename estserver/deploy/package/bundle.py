"""The byte code of every module that a function starts with, in one file."""

import marshal
from collections.abc import Iterable
from pathlib import Path

from estserver.deploy.package.runtime import Version
from estserver.functions.bundled import FILE_NAME

_PYC_HEADER = 16
"""Bytes before the byte code itself (PEP 552)."""


def write_bundle(directory: Path, names: Iterable[str], python: Version) -> None:
    """Write the bundle of the package in ``directory``, which is compiled for ``python``.

    Names of modules that aren't in the package, Python's own for instance, are passed over.
    """
    index: dict[str, tuple[bool, int, int]] = {}
    contents = bytearray()
    tag = "cpython-" + "".join(map(str, python))
    for name in sorted(set(names)):
        place = directory.joinpath(*name.split("."))
        package = place / "__pycache__" / f"__init__.{tag}.pyc"
        module = place.parent / "__pycache__" / f"{place.name}.{tag}.pyc"
        compiled = next(filter(Path.exists, (package, module)), None)
        if compiled is None:
            continue
        byte_code = compiled.read_bytes()[_PYC_HEADER:]
        index[name] = (compiled == package, len(contents), len(contents) + len(byte_code))
        contents += byte_code
    # Version 4 of the format is what every Python from 3.4 on reads.
    (directory / FILE_NAME).write_bytes(marshal.dumps(index, 4) + contents)
