"""What a person or program can do and look at: one row each, with its page, command and API call.

The three doors call the same service function, and tests compare the rows with all of them: a page,
a command or an address of the API that no row names fails, and so does a row whose door is missing.
"""

from estserver.operations.actions.action import Action
from estserver.operations.actions.authorities import AUTHORITIES
from estserver.operations.actions.fleet import FLEET
from estserver.operations.actions.installation import INSTALLATION
from estserver.operations.actions.people import PEOPLE

ACTIONS: tuple[Action, ...] = (*FLEET, *AUTHORITIES, *PEOPLE, *INSTALLATION)
"""Every action and list, by what it is about."""

__all__ = ["ACTIONS", "Action"]
