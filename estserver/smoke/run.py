"""The order of a smoke test: access, public pages, refusals, an enrollment and its renewal."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from estserver.operations.report_rows import Row
from estserver.smoke import doors, enrolling, refusals
from estserver.smoke.device import NewKey
from estserver.smoke.enrolling import Enrolled
from estserver.smoke.wire import Credentials, Server, Unreachable, Untrusted


@dataclass
class SmokeTest:
    """A test of one server, which runs while a caller iterates over `rows`."""

    server: Server
    client: Credentials
    wanted: NewKey
    """The key and the name that it enrolls."""
    execute_api: Server | None = None
    admin: Server | None = None
    is_enrollment_only: bool = False
    """Whether the health pages and the refusals are left out."""
    is_unreachable: bool = False
    """Whether no answer came, because of the network or of the name."""
    enrolled: list[Enrolled] = field(default_factory=list)
    """The certificates that an operator has to revoke afterwards."""

    def rows(self) -> Iterator[Row]:
        """Yield the outcome of each check. A check that depends on a failed one is left out.

        Raises OperatorError if the client's files cannot be used.
        """
        try:
            yield from self._device_side()
        except Unreachable as error:
            self.is_unreachable = True
            yield Row(
                "connection",
                "FAIL",
                f"{self.server} cannot be reached: {error}.",
                "Check DNS and the port, and that the domain is AVAILABLE (aws_status).",
            )
        except Untrusted as error:
            finding = f"{self.server} has another certificate than before: {error}."
            yield Row("TLS", "FAIL", finding)
        if self.execute_api:
            yield doors.default_endpoint(self.execute_api)
        if self.admin:
            yield doors.admin(self.admin)

    def _device_side(self) -> Iterator[Row]:
        tls = doors.tls(self.server, self.client)
        yield tls
        if tls.level == "FAIL":
            return  # another server may have this name, so it must receive nothing
        access = doors.client_certificate(self.server, self.client)
        yield access
        if access.level == "FAIL":
            return
        if not self.is_enrollment_only:
            yield doors.page(self.server, self.client, "/healthz")
            yield doors.page(self.server, self.client, "/readyz")
        authorities, row = enrolling.ca_certificates(self.server, self.client)
        yield row
        yield enrolling.csr_attributes(self.server, self.client)
        if not self.is_enrollment_only:
            yield from refusals.all_of_them(self.server, self.client)
        with TemporaryDirectory(prefix="est-smoke-") as directory:
            yield from self._enrollment(authorities, Path(directory))

    def _enrollment(self, authorities: enrolling.Authorities, directory: Path) -> Iterator[Row]:
        first, row = enrolling.enroll(
            self.server, self.client, self.wanted, authorities=authorities
        )
        yield row
        if first is None:
            return
        self.enrolled.append(first)
        if row.level == "FAIL":
            return  # no certificate to renew with
        own = first.key.save(first.certificate, directory)
        renewed, row = enrolling.reenroll(self.server, own, first, authorities=authorities)
        yield row
        if renewed:
            self.enrolled.append(renewed)
