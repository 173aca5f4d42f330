"""Stubs for modules that Django imports and the device side never uses, for a shorter cold start.

Django's core imports its template engine, forms, mail and debug pages in many places. The device
side has no pages, forms or mail, and loading them would make each cold start longer. Inside of
`stub_imports` such a module is an empty stub. Its names are placeholder classes, which can be
inherited, caught and passed around, and which raise when they are called. Afterwards the module
can be imported as usual, for example by a hook.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class NotLoaded(Exception):
    """A placeholder of a stubbed module was called."""


class StubModule(ModuleType):
    """A module without content, in place of one that is not imported."""

    def __getattr__(self, name: str) -> type[Exception]:
        if name.startswith("__"):
            raise AttributeError(name)
        placeholder = _placeholder(f"{self.__name__}.{name}")
        setattr(self, name, placeholder)  # the next import of the name finds the same class
        return placeholder


def _placeholder(path: str) -> type[Exception]:
    def refuse(cls: type, *args: Any, **kwargs: Any) -> None:
        raise NotLoaded(
            f"{path} is a stub on the device side. See estserver/functions/stubbed_imports.py."
        )

    # It inherits Exception, because Django names some of these classes in `except`.
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
        """Add nothing: a stub has no content."""


@contextmanager
def stub_imports(*names: str) -> Iterator[None]:
    """Import stubs in place of the modules ``names`` and all modules below them, while open.

    A module that was imported before stays. Use this before other threads start, because their
    imports would find the stubs too.
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
