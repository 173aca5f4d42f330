"""Every address of the API, below ``/api/v1/``: its path, the class that answers, and its name.

The classes are named and not imported. REST framework takes 0.35 s of CPU time to load beside the
console, and a start that answers a page of the console does without it.
"""

from typing import Final

ROOM: Final = "estserver.api.views"

ROUTES: Final[tuple[tuple[str, str, str], ...]] = (
    ("token", "root.Token", "token"),
    ("certificates", "certificates.Certificates", "certificates"),
    ("certificates/revoke", "certificates.CertificatesRevoke", "certificates_revoke"),
    ("certificates/export", "certificates.CertificatesExport", "certificates_export"),
    ("certificates/reprovision", "iot.Reprovision", "certificates_reprovision"),
    ("certificates/<str:certificate>", "certificates.CertificateDetail", "certificate"),
    (
        "certificates/<str:certificate>/revoke",
        "certificates.CertificateRevoke",
        "certificate_revoke",
    ),
    (
        "certificates/<str:certificate>/file/<str:form>",
        "certificates.CertificateFile",
        "certificate_file",
    ),
    ("denylist", "denylist.Denylist", "denylist"),
    ("denylist/import", "denylist.DenylistImport", "denylist_import"),
    ("denylist/test", "denylist.DenylistTest", "denylist_test"),
    ("denylist/<uuid:entry>", "denylist.DenylistDetail", "denylist_entry"),
    ("denylist/<uuid:entry>/end", "denylist.DenylistEnd", "denylist_end"),
    ("jobs", "jobs.Jobs", "jobs"),
    ("jobs/<uuid:job>", "jobs.JobDetail", "job"),
    ("jobs/<uuid:job>/lines", "jobs.JobLines", "job_lines"),
    ("jobs/<uuid:job>/file", "jobs.JobFile", "job_file"),
    ("jobs/<uuid:job>/cancel", "jobs.JobCancel", "job_cancel"),
    ("jobs/<uuid:job>/continue", "jobs.JobContinue", "job_continue"),
    ("devices", "devices.Devices", "devices"),
    ("devices/<str:name>", "devices.DeviceDetail", "device"),
    ("devices/<str:name>/release", "devices.DeviceRelease", "device_release"),
    ("cas", "authorities.Authorities", "cas"),
    ("cas/<str:name>", "authorities.AuthorityByName", "ca"),
    ("profiles", "profiles.Profiles", "profiles"),
    ("profiles/<str:name>", "profiles.ProfileByName", "profile"),
    ("profiles/<str:name>/versions", "profiles.ProfileVersions", "profile_versions"),
    ("documents/preview", "document_pushes.DocumentPreview", "documents_preview"),
    ("documents/<str:kind>", "documents.DocumentInForce", "document"),
    ("documents/<str:kind>/versions", "documents.DocumentVersions", "document_versions"),
    (
        "documents/<str:kind>/versions/<int:number>",
        "documents.DocumentByNumber",
        "document_version",
    ),
    ("documents/<str:kind>/validate", "documents.DocumentValidate", "document_validate"),
    ("documents/<str:kind>/roll-back", "documents.DocumentRollBack", "document_roll_back"),
    ("documents/<str:kind>/push", "document_pushes.DocumentPush", "document_push"),
    ("targets", "iot.TargetList", "targets"),
    ("drift", "iot.Drift", "drift"),
    ("outbox", "outbox.Outbox", "outbox"),
    ("outbox/<uuid:row>/retry", "outbox.OutboxRetry", "outbox_retry"),
    ("hooks", "outbox.Hooks", "hooks"),
    ("truststore", "truststore.TruststoreNow", "truststore"),
    ("truststore/compare", "truststore.TruststoreCompare", "truststore_compare"),
    ("truststore/push", "truststore.TruststoreChange", "truststore_push"),
    ("truststore/pushes", "truststore.TruststorePushes", "truststore_pushes"),
    ("webhooks", "webhooks.Webhooks", "webhooks"),
    ("webhooks/<uuid:webhook>/end", "webhooks.WebhookEnd", "webhook_end"),
    ("messages", "webhooks.Messages", "messages"),
    ("messages/<uuid:message>/again", "webhooks.MessageAgain", "message_again"),
    ("audit", "audit.AuditTrail", "audit"),
    ("audit/export", "audit.AuditExport", "audit_export"),
    ("audit/verify", "audit.AuditVerify", "audit_verify"),
    ("dry-run", "tools.DryRun", "dry_run"),
    ("inspect", "tools.Inspect", "inspect"),
    ("doctor", "tools.Doctor", "doctor"),
    ("overview", "overview.OverviewNumbers", "overview"),
    ("notices", "overview.Notices", "notices"),
    ("notices/acknowledge", "overview.NoticeAcknowledge", "notice_acknowledge"),
)
"""In the order in which they are compared with a request's path."""
