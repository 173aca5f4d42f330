"""The smoke test as one reads it: the door, what is public, who is refused, an enrollment."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from estserver.deploy.status import Row
from estserver.smoke import doors, enrolling, refusals
from estserver.smoke.device import NewKey
from estserver.smoke.enrolling import Enrolled
from estserver.smoke.wire import Credentials, Server, Unreachable, Untrusted


@dataclass
class SmokeTest:
    """One test of one server. Iterate over `rows` to run it."""

    server: Server
    client: Credentials
    wanted: NewKey
    """What is enrolled."""
    execute_api: Server | None = None
    admin: Server | None = None
    is_unreachable: bool = False
    """Nobody answered: a failure of the network, or of the name."""
    enrolled: list[Enrolled] = field(default_factory=list)
    """What has to be cleaned up."""

    def rows(self) -> Iterator[Row]:
        """Each check's outcome, as it comes. What can't be asked any more is left out.

        Raises OperatorError when the client's files can't be used.
        """
        try:
            yield from self._device_side()
        except Unreachable as error:
            self.is_unreachable = True
            yield Row(
                "connection",
                "FAIL",
                f"{self.server} can't be reached: {error}",
                "see DNS, the port, and whether the domain is AVAILABLE (aws_status)",
            )
        except Untrusted as error:
            yield Row("TLS", "FAIL", f"{self.server} became another meanwhile: {error}")
        if self.execute_api:
            yield doors.default_endpoint(self.execute_api)
        if self.admin:
            yield doors.admin(self.admin)

    def _device_side(self) -> Iterator[Row]:
        tls = doors.tls(self.server, self.client)
        yield tls
        if tls.level == "FAIL":
            return  # nothing is sent to a server that may be another
        let_in = doors.client_certificate(self.server, self.client)
        yield let_in
        if let_in.level == "FAIL":
            return
        yield doors.page(self.server, self.client, "/healthz")
        yield doors.page(self.server, self.client, "/readyz")
        authorities, row = enrolling.ca_certificates(self.server, self.client)
        yield row
        yield enrolling.csr_attributes(self.server, self.client)
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
        own = first.key.saved(first.certificate, directory)
        renewed, row = enrolling.reenroll(self.server, own, first, authorities=authorities)
        yield row
        if renewed:
            self.enrolled.append(renewed)
