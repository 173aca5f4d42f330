"""The module that Django's autodiscovery imports: it registers the pages of ``console``."""

from estserver.console.authorities.ca_roll_page import ca_roll_page
from estserver.console.authorities.next_steps import next_steps_shown
from estserver.console.authorities.profile_address import address
from estserver.console.authorities.profile_preview import preview
from estserver.console.authorities.truststore import TruststorePushAdmin
from estserver.console.authorities.worlds_page import worlds_page
from estserver.console.delivery.pending_hooks import PendingHookAdmin
from estserver.console.delivery.webhooks import MessageAdmin, WebhookAdmin
from estserver.console.devices.list_page import device_list
from estserver.console.devices.page import device_page
from estserver.console.overview.page import acknowledge_page
from estserver.console.people import accounts
from estserver.console.people.api_tokens import api_tokens_page, end_token_page
from estserver.console.people.second_factor_pages import (
    code_page,
    codes_file,
    own_page,
    set_up_page,
)
from estserver.console.people.second_factor_reset import reset_page
from estserver.console.people.session_pages import sessions_page
from estserver.console.people.two_persons_page import request_page, requests_page
from estserver.console.search_page import search_page
from estserver.console.settings_page import settings_page
from estserver.console.targets_page import targets_page
from estserver.console.tools.doctor_page import doctor_page
from estserver.console.tools.dry_run_page import dry_run_page
from estserver.console.tools.enroll_page import test_enroll_page
from estserver.console.tools.inspect_page import inspect_page
from estserver.people import again
from estserver.people.second_factor.checking import check_code, has_second_factor
from estserver.people.sessions import signals as session_signals

__all__ = [
    "MessageAdmin",
    "PendingHookAdmin",
    "TruststorePushAdmin",
    "WebhookAdmin",
    "acknowledge_page",
    "address",
    "api_tokens_page",
    "ca_roll_page",
    "code_page",
    "codes_file",
    "device_list",
    "device_page",
    "doctor_page",
    "dry_run_page",
    "end_token_page",
    "inspect_page",
    "next_steps_shown",
    "own_page",
    "preview",
    "request_page",
    "requests_page",
    "reset_page",
    "search_page",
    "sessions_page",
    "set_up_page",
    "settings_page",
    "targets_page",
    "test_enroll_page",
    "worlds_page",
]

again.connect()
again.use_second_factor(again.SecondFactor(has_second_factor, check_code))
session_signals.connect()
accounts.register()
