"""The tables of the server itself: what is neither a certificate nor AWS IoT's.

The device side uses those of the installation alone, and each model costs its start about a
millisecond. So the other modules are loaded with the app where there are people
(`estserver.apps`), and elsewhere when one of their models is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from estserver.models.installation import (
    Acknowledgement,
    PendingHook,
    RefusalCount,
    TruststorePush,
)

if TYPE_CHECKING:
    from estserver.models.messages import (
        Message,
        ToldNotice,
        Webhook,
    )
    from estserver.models.people import (
        ConsoleSession,
        OfficerRequest,
        PasswordToChange,
        ProviderIdentity,
        RecoveryCode,
        SecondFactor,
        SignInFailures,
    )
    from estserver.models.programs import (
        ApiToken,
        IdempotencyKey,
    )

PEOPLE_SIDE: Final = (
    "estserver.models.messages",
    "estserver.models.people",
    "estserver.models.programs",
)
"""The modules with the tables of people, their programs and what is told to them."""

__all__ = [
    "Acknowledgement",
    "ApiToken",
    "ConsoleSession",
    "IdempotencyKey",
    "Message",
    "OfficerRequest",
    "PasswordToChange",
    "PendingHook",
    "ProviderIdentity",
    "RecoveryCode",
    "RefusalCount",
    "SecondFactor",
    "SignInFailures",
    "ToldNotice",
    "TruststorePush",
    "Webhook",
]

if not TYPE_CHECKING:  # mypy knows the names, and would take any other one too

    def __getattr__(name: str) -> Any:
        """Return a model of the people side. Django registers all of its module's models then."""
        if name in __all__:
            for module in map(import_module, PEOPLE_SIDE):
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
