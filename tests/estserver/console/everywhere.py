"""Which pages the console has, so that a walk can say which one it left out."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.urls import URLPattern, URLResolver, get_resolver, resolve

NO_PAGES = frozenset(
    {"app_list", "autocomplete", "jsi18n", "logout", "password_change_done", "view_on_site"}
)
"""Names of URLs of Django's that show nothing of the record here."""

FILES = ("_download", "_export", "_file")
FACTS = ("_add", "_delete", "_history")
"""Ends of the names of pages which most rows do not have, because only operations change them. The
history is the audit trail."""

ONLY_BY_POST = frozenset({"console_api_token_end"})
"""Names of addresses that show nothing by GET."""


def page_names() -> set[str]:
    """Return the names of the console's pages, by its resolver."""

    def below(patterns: Iterable[URLPattern | URLResolver]) -> Iterable[str]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from below(one.url_patterns)
            elif one.name:
                yield one.name

    (admin,) = (
        one for one in get_resolver().url_patterns if getattr(one, "namespace", "") == "admin"
    )
    names = {one for one in below([admin]) if one not in NO_PAGES}
    return {one for one in names if not one.endswith(FILES + FACTS)} - ONLY_BY_POST


def shape_of(address: str) -> str:
    """Return an address without what names a row or is asked for.

    Pages of one shape are made by the same templates, and guarded by the same checks.
    """
    return re.sub(r"[0-9a-f-]{36}|=.*", "*", address)


def kind_of(address: str) -> str:
    """Return the shape of an address, and of a row's page the address.

    The state of a row decides which operations its page leads to.
    """
    return address if address.endswith("/change/") else shape_of(address)


def not_opened(addresses: Iterable[str]) -> set[str]:
    """Return the names of the pages that are at none of the addresses."""
    return page_names() - {str(resolve(urlsplit(one).path).url_name) for one in addresses}
