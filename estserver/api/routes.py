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
)
"""In the order in which they are compared with a request's path."""
