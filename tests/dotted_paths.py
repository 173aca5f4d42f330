"""The dotted paths that a commit's documents, configuration files and migrations name.

Customers copy these paths into their configuration and their gunicorn command lines, and deployed
functions and schedules have them. `tests/test_dotted_paths.py` imports each of
`tests/dotted_paths.txt`, which is made, and can be made again from any commit, by::

    python -m tests.dotted_paths 4b4b2e1 >tests/dotted_paths.txt
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

SOURCES = re.compile(
    r"README\.md|docs/.+\.md|Dockerfile|zappa_settings\.json|config/.+|\w+/migrations/.+\.py"
)
"""The files that are read."""

DOTTED = re.compile(r"\b(?:estserver|iotprov|pki)(?:\.[A-Za-z_]\w*)+(?::[A-Za-z_]\w*)?")
IMPORT = re.compile(
    r"^\s*from ((?:estserver|iotprov|pki)(?:\.\w+)*) import ([\w, ]+)$", re.MULTILINE
)

IN_PROSE = ("pki.exceptions.SignerRefused", "pki.reasons.Reason.SIGNER_REFUSED")
"""docs/operating.md names these without their modules, for a PKI that refuses to sign."""


def named_in(text: str) -> Iterator[str]:
    """Yield the dotted paths that a text names, with those of its import statements."""
    for module, names in IMPORT.findall(text):
        yield from (f"{module}.{name.strip()}" for name in names.split(","))
    yield from (path.replace(":", ".") for path in DOTTED.findall(text))


def is_module_path(path: str, files: Iterable[str]) -> bool:
    """Return whether the path leads into a module; ``pki.issuedcertificate`` is a model's label."""
    package, name = path.split(".")[:2]
    return any(file.startswith((f"{package}/{name}.py", f"{package}/{name}/")) for file in files)


def of_commit(commit: str) -> list[str]:
    """Return all paths that the commit's files name, sorted."""
    files = _git("ls-tree", "-r", "--name-only", commit).splitlines()
    paths = set(IN_PROSE)
    for file in filter(SOURCES.fullmatch, files):
        paths.update(named_in(_git("show", f"{commit}:{file}")))
    return sorted(path for path in paths if is_module_path(path, files))


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.stdout.writelines(f"{path}\n" for path in of_commit(sys.argv[1]))
