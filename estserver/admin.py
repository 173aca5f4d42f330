"""The module that Django's autodiscovery imports: it registers the pages of ``console``."""

from estserver.console.overview.page import acknowledge_page
from estserver.console.pending_hooks import PendingHookAdmin
from estserver.console.settings_page import settings_page
from estserver.people import accounts

__all__ = ["PendingHookAdmin", "acknowledge_page", "settings_page"]

accounts.register()
