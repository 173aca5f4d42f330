"""The module that Django's autodiscovery imports: it registers the pages of ``console``."""

from estserver.console.device_list import device_list
from estserver.console.device_page import device_page
from estserver.console.overview.page import acknowledge_page
from estserver.console.pending_hooks import PendingHookAdmin
from estserver.console.search_page import search_page
from estserver.console.settings_page import settings_page
from estserver.people import accounts

__all__ = [
    "PendingHookAdmin",
    "acknowledge_page",
    "device_list",
    "device_page",
    "search_page",
    "settings_page",
]

accounts.register()
