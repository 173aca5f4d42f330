"""Whether a class that the configuration names can exist, and which one was probably meant.

No class is imported here: a configuration is read before Django's models can be. A class of another
package is therefore not looked for, only that package.
"""

import difflib
import importlib.util
import re
from collections.abc import Sequence

from estserver.config.values import PROJECT_ROOT

SIGNERS = (
    "pki.signers.est.ESTSigner",
    "pki.signers.external.ExternalSigner",
    "pki.signers.keyfile.KeyFileSigner",
    "pki.signers.kms.KMSSigner",
    "pki.signers.privateca.PrivateCASigner",
    "pki.signers.secretsmanager.SecretsManagerSigner",
)
"""The signers of this project, by the paths that configurations name."""

HOOKS = ("estserver.hooks.EnrollmentHook",)
"""The base class of enrollment hooks, likewise."""

_OWN_PACKAGES = frozenset({"estserver", "iotprov", "pki"})
_CLOSE = 0.8
"""How much two paths have in common when one is a slip of the other (`difflib`'s ratio)."""


def class_path_problem(path: str, known: Sequence[str]) -> str:
    """Return why there is no class of that dotted path; "" where there may be one.

    The sentence names the path of ``known`` that is nearest. A package that is not installed here
    is only refused if its path is a slip of a known one: it may be installed where the server runs.
    """
    package = path.partition(".")[0]
    if package in _OWN_PACKAGES:
        if _is_in_source(path):
            return ""
        nearest = difflib.get_close_matches(path, known, n=1, cutoff=0)
    elif importlib.util.find_spec(package) is None:
        nearest = difflib.get_close_matches(path, known, n=1, cutoff=_CLOSE)
        if not nearest:
            return ""
    else:
        return ""
    advice = f"Did you mean {nearest[0]}?" if nearest else "Name a class of yours."
    return f'Found "{path}", and there is no such class. {advice}'


def _is_in_source(path: str) -> bool:
    """Return whether a module of this project names the class, be it to define or to import it."""
    module, _, name = path.rpartition(".")
    place = PROJECT_ROOT.joinpath(*module.split("."))
    return any(
        re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) is not None
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py"))
        if file.is_file()
    )
