"""The actions on webhooks, notices, tools, and the installation itself."""

from typing import Final

from estserver.operations.actions.action import Action

_ON_THE_MACHINE: Final = "It makes or serves an installation, on the machine itself."
_DEPLOYS: Final = "It deploys with the rights of a person in AWS, not with those of the console."
_KEPT_ANSWER: Final = (
    "The answer would hold the secret, and answers are kept for repeated requests."
)
_WRITES_DOCS: Final = "It writes a text from the code, and reads nothing on record."

INSTALLATION: Final[tuple[Action, ...]] = (
    Action(
        name="List webhooks and their messages",
        commands=("webhooks list", "webhooks deliveries"),
        pages=(
            "estserver_webhook_changelist",
            "estserver_webhook_change",
            "estserver_message_changelist",
            "estserver_message_change",
        ),
        api=("GET webhooks", "GET messages"),
        permission="estserver.view_webhook",
    ),
    Action(
        name="Add a webhook",
        commands=("webhooks add",),
        pages=("estserver_webhook_add",),
        permission="estserver.add_webhook",
        services=("estserver.webhooks.subscriptions.add_webhook",),
        without_api=_KEPT_ANSWER,
    ),
    Action(
        name="Give a webhook a new secret",
        commands=("webhooks rotate",),
        pages=("estserver_webhook_rotate",),
        permission="estserver.change_webhook",
        services=("estserver.webhooks.subscriptions.rotate_secret",),
        without_api=_KEPT_ANSWER,
    ),
    Action(
        name="Send a webhook a test event",
        commands=("webhooks test",),
        pages=("estserver_webhook_test",),
        permission="estserver.change_webhook",
        services=("estserver.webhooks.subscriptions.test_webhook",),
        without_api="The person who adds a webhook tests it.",
    ),
    Action(
        name="End a webhook",
        commands=("webhooks end",),
        pages=("estserver_webhook_end",),
        api=("POST webhooks/{webhook}/end",),
        permission="estserver.change_webhook",
        services=("estserver.webhooks.subscriptions.end_webhook",),
    ),
    Action(
        name="Send a message of a webhook again",
        commands=("webhooks redeliver",),
        pages=("estserver_message_again",),
        api=("POST messages/{message}/again",),
        permission="estserver.change_message",
        services=("estserver.webhooks.subscriptions.redeliver",),
    ),
    Action(
        name="Overview and notices",
        commands=("notices",),
        pages=("index", "console_acknowledge"),
        api=("GET overview", "GET notices", "POST notices/acknowledge"),
        permission="estserver.add_acknowledgement",
        services=("estserver.console.overview.notices.acknowledge",),
    ),
    Action(
        name="Settings in force",
        commands=("settings_in_force",),
        pages=("console_settings",),
        permission="estserver.view_settings",
        services=("estserver.config.effective.effective_values",),
        without_api="The settings name files and secrets of the machine.",
    ),
    Action(
        name="Doctor",
        commands=("doctor",),
        pages=("console_doctor",),
        api=("POST doctor",),
        permission="pki.view_certificateauthority",
        services=("estserver.tools.doctor.examination.examine",),
    ),
    Action(
        name="Dry run of an enrollment",
        commands=("dry_run",),
        pages=("console_dry_run",),
        api=("POST dry-run",),
        permission="pki.view_issuedcertificate",
        services=("estserver.tools.dry_run.dry_run",),
    ),
    Action(
        name="Inspect a certificate, CSR, key or log line",
        commands=("inspect",),
        pages=("console_inspect",),
        api=("POST inspect",),
        permission="pki.view_issuedcertificate",
        services=("estserver.tools.inspection.inspect",),
    ),
    Action(
        name="Test enrollment",
        commands=("test_enroll",),
        pages=("console_test_enroll", "console_test_enroll_clean_up"),
        permission="pki.add_issuedcertificate",
        without_api="A program enrolls by EST.",
        services=("estserver.tools.enrollment_test.clean_up",),
    ),
    Action(
        name="Prove a server from outside",
        commands=("smoke",),
        without_page="It runs on another machine than the server's.",
        without_api="It runs on another machine than the server's.",
    ),
    Action(
        name="Make and serve an installation",
        commands=("quickstart", "runest", "run_schedule", "migrate", "import_aws"),
        without_page=_ON_THE_MACHINE,
        without_api=_ON_THE_MACHINE,
    ),
    Action(
        name="Deploy to AWS",
        commands=(
            "aws_deploy",
            "aws_destroy",
            "aws_rollback",
            "aws_package",
            "aws_status",
            "aws_costs",
            "aws_run",
            "aws_client_files",
            "zappa_settings",
        ),
        without_page=_DEPLOYS,
        without_api=_DEPLOYS,
    ),
    Action(
        name="Write references and shell completion",
        commands=("config_reference", "reason_codes", "commands_reference", "completion"),
        without_page=_WRITES_DOCS,
        without_api=_WRITES_DOCS,
    ),
)
