"""The module that Django's autodiscovery imports: it registers the pages of ``console``."""

from estserver.console.pending_hooks import PendingHookAdmin

__all__ = ["PendingHookAdmin"]
