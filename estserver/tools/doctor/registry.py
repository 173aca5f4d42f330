"""The list of the doctor's checks, in the order in which they are shown."""

from typing import Final

from estserver.tools.doctor import of_authorities, of_aws, of_process, of_webhooks, of_work
from estserver.tools.doctor.checks import Check

CHECKS: Final = (
    Check(
        "settings",
        "docs/configuration.md#configuration",
        of_process.settings_rows,
        needs_database=False,
    ),
    Check(
        "database",
        "docs/operating.md#postgresql",
        of_process.database_rows,
    ),
    Check("migrations", "docs/deploying.md#updating", of_process.migration_rows),
    Check("clock", "docs/operating.md#doctor", of_process.clock_rows),
    Check(
        "server certificate",
        "docs/operating.md#start",
        of_process.server_certificate_rows,
        needs_database=False,
    ),
    Check(
        "cas",
        "docs/operating.md#roll-a-ca",
        of_authorities.authority_rows,
        is_in_summary=True,
    ),
    Check("keys", "docs/aws.md#ca-keys", of_authorities.key_rows, asks_others=True),
    Check(
        "profiles",
        "docs/operating.md#certificate-profiles",
        of_process.record_rows,
    ),
    Check(
        "quotas",
        "docs/operating.md#release-a-thing-name",
        of_authorities.quota_rows,
        is_in_summary=True,
    ),
    Check("aws iot", "docs/aws.md#aws-iot-once", of_work.iot_rows),
    Check("outbox", "docs/aws.md#the-outbox", of_work.outbox_rows),
    Check("hooks", "docs/operating.md#hooks", of_work.hook_rows, is_in_summary=True),
    Check("webhooks", "docs/webhooks.md#messages", of_webhooks.webhook_rows),
    Check(
        "jobs",
        "docs/operating.md#take-a-certificate-back-revoke",
        of_work.job_rows,
        is_in_summary=True,
    ),
    Check("audit", "docs/operating.md#is-the-audit-trail-whole", of_work.audit_rows),
    Check("accounts", "docs/operating.md#start", of_work.account_rows),
    Check(
        "deployment",
        "docs/deploying.md#the-commands",
        of_aws.deployment_rows,
        needs_database=False,
        asks_others=True,
    ),
)
