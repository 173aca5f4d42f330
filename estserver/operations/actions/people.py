"""The actions on the audit trail, on people, and on what is theirs: sessions, codes, tokens."""

from typing import Final

from estserver.operations.actions.action import Action

_ABOUT_PEOPLE: Final = "No call reads or changes accounts."
_ASKS_AGAIN: Final = "Only people change CAs. Programs do not."

PEOPLE: Final[tuple[Action, ...]] = (
    Action(
        name="Search and export the audit trail",
        commands=("audit list", "audit export"),
        pages=("pki_auditevent_changelist", "pki_auditevent_change", "pki_auditevent_export"),
        api=("GET audit", "GET audit/export"),
        permission="pki.view_auditevent",
    ),
    Action(
        name="Verify the audit trail",
        commands=("audit_verify", "audit verify"),
        pages=("pki_auditevent_verify",),
        api=("POST audit/verify",),
        permission="pki.view_auditevent",
        services=("pki.record.audit_check.check_trail",),
    ),
    Action(
        name="List people and roles",
        commands=("people list", "people show", "people roles"),
        pages=("auth_user_changelist", "auth_group_changelist"),
        permission="auth.view_user",
        services=("estserver.people.accounts.rules.account_facts",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Make an account",
        commands=("people add",),
        pages=("auth_user_add",),
        permission="auth.add_user",
        services=("estserver.people.accounts.rules.account_facts",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Make the first account",
        commands=("first_admin",),
        services=("estserver.people.accounts.first_account.make_first_admin",),
        without_page="No page opens without an account, and there is none yet.",
        without_api="A token belongs to an account, and there is none yet.",
    ),
    Action(
        name="Change an account, its roles or its password",
        commands=("people set-roles", "people disable", "people enable", "people password"),
        pages=("auth_user_change", "auth_user_password_change", "auth_user_delete"),
        permission="auth.change_user",
        services=("estserver.people.accounts.rules.account_facts",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Who has a second factor",
        commands=("second_factor list",),
        pages=("console_second_factor", "auth_user_change"),
        permission="auth.view_user",
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Reset a second factor",
        commands=("second_factor reset",),
        pages=("console_second_factor_reset",),
        permission="auth.change_user",
        services=("estserver.people.second_factor.factors.reset",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="List sessions",
        commands=("sessions list",),
        pages=("console_sessions",),
        services=(
            "estserver.people.sessions.record.living",
            "estserver.people.sessions.record.sessions_of",
        ),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="End sessions",
        commands=("sessions end",),
        pages=("console_sessions",),
        services=("estserver.people.sessions.record.end_sessions",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="List tokens of the API",
        commands=("api_tokens list",),
        pages=("console_api_tokens",),
        without_api="`GET token` describes the token of the request, and a token sees no other.",
    ),
    Action(
        name="Make a token of the API",
        commands=("api_tokens add",),
        pages=("console_api_tokens",),
        services=("estserver.people.api_tokens.make_token",),
        without_api="A token could make the next one before it expires.",
    ),
    Action(
        name="End a token of the API",
        commands=("api_tokens end",),
        pages=("console_api_token_end",),
        services=("estserver.people.api_tokens.end_token",),
        without_api="A stolen token could end the other tokens of its owner.",
    ),
    Action(
        name="List what waits for a second person",
        commands=("requests list",),
        pages=("console_requests", "console_request"),
        permission="pki.change_certificateauthority",
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Decide about what waits for a second person",
        commands=("requests refuse",),
        pages=("console_request",),
        permission="pki.change_certificateauthority",
        services=("estserver.people.two_persons.refuse",),
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Make and change groups beside the roles",
        commands=("people set-roles",),
        pages=("auth_group_add", "auth_group_change", "auth_group_delete"),
        permission="auth.change_group",
        without_api=_ABOUT_PEOPLE,
    ),
)
