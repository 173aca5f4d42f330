"""The tables of the server itself: what is neither a certificate nor AWS IoT's."""

from estserver.models.installation import (
    Acknowledgement,
    PendingHook,
    RefusalCount,
    TruststorePush,
)
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
