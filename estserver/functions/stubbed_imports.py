"""Modules that Django imports and the device side never uses: left out of a function's start.

Django mentions its template engine, forms, mail and debug pages all over its core, and imports
them for that. Devices see no page, fill in no form and get no mail; loading all of it anyway is a
tenth of a cold start. Inside of `stub_imports` such a module is an empty one, whose names are
placeholders that can be inherited, caught and passed around, and raise when they are called.
Afterwards it can be imported for real, as a hook of yours may do.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class NotLoaded(Exception):
    """Something was called that was left out when the function started."""


class StubModule(ModuleType):
    """A module that was left out."""

    def __getattr__(self, name: str) -> type[Exception]:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _placeholder(f"{self.__name__}.{name}")
        setattr(self, name, made)  # a name is one class, however often it is imported
        return made


def _placeholder(path: str) -> type[Exception]:
    def refuse(cls: type, *args: Any, **kwargs: Any) -> None:
        raise NotLoaded(
            f"{path} is left out of the device side: see estserver/functions/stubbed_imports.py"
        )

    # An exception, since some are named in `except`.
    return type(path.rpartition(".")[2], (Exception,), {"__new__": refuse})


class _Finder(MetaPathFinder, Loader):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        self._below = tuple(f"{name}." for name in names)

    def find_spec(self, fullname: str, *args: Any) -> ModuleSpec | None:
        if fullname in self._names or fullname.startswith(self._below):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> StubModule:
        return StubModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


@contextmanager
def stub_imports(*names: str) -> Iterator[None]:
    """Leave modules out of whatever is imported inside, with all below them.

    What was imported before stays. Not for threads: imports of others would meet the same gaps.
    """
    finder = _Finder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in [*sys.modules.items()]:
            if isinstance(module, StubModule):
                del sys.modules[name]
                parent, _, child = name.rpartition(".")
                if getattr(sys.modules.get(parent), child, None) is module:
                    delattr(sys.modules[parent], child)
