"""The search terms of lists, which `pki.search.terms` reads."""

from pki.search.terms import Term, starts_with

__all__ = ["Term", "starts_with"]
