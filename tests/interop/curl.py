"""curl and openssl as an EST client, each request a process of its own."""

import base64
import itertools
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from tests.interop.server import Installation

SECONDS = 60
PKCS10 = ("-H", "Content-Type: application/pkcs10")


@dataclass(frozen=True)
class OpenSSL:
    """The openssl program."""

    program: str

    def __call__(self, *arguments: object, data: bytes | None = None, check: bool = True) -> str:
        """Run it; returns what it prints, standard error included."""
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
        )
        printed = done.stdout.decode()
        assert not check or done.returncode == 0, printed
        return printed

    def make_key(self, path: Path) -> Path:
        """A new P-256 key."""
        self(
            *("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-out", path),
        )
        return path

    def make_csr(self, key: Path, common_name: str, *, form: str = "DER") -> bytes:
        """A CSR for ``key``, as openssl makes it."""
        path = key.with_suffix(".csr")
        self(
            *("req", "-new", "-key", key, "-subj", f"/CN={common_name}"),
            *("-outform", form, "-out", path),
        )
        return path.read_bytes()


@dataclass(frozen=True)
class Device:
    """What a device has in its flash."""

    common_name: str
    key: Path
    certificate: Path

    @property
    def credentials(self) -> tuple[Path, Path]:
        """Certificate and key, as curl takes them."""
        return self.certificate, self.key

    def x509(self) -> x509.Certificate:
        """The certificate."""
        return x509.load_pem_x509_certificate(self.certificate.read_bytes())


@dataclass(frozen=True)
class Reply:
    """What curl got."""

    exit_code: int
    status: int
    head: bytes
    body: bytes
    complaint: str
    """curl's own, on standard error."""

    @property
    def headers(self) -> dict[str, str]:
        """The last head's fields by lower-case name."""
        last = self.head.strip().split(b"\r\n\r\n")[-1].decode()
        fields = (line.partition(":") for line in last.split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in fields}

    @property
    def der(self) -> bytes:
        """The base64 body's contents."""
        assert self.status == 200, (self.status, self.body, self.complaint)
        return base64.b64decode(self.body)

    @property
    def certificates(self) -> list[x509.Certificate]:
        """The certificates of a certs-only reply."""
        return pkcs7.load_der_pkcs7_certificates(self.der)

    @property
    def reason(self) -> str:
        """The reason code of a refusal, which must be one line of text."""
        assert self.headers["content-type"] == "text/plain; charset=utf-8", self
        (line,) = self.body.decode().splitlines()
        code, colon, sentence = line.partition(": ")
        assert colon, line
        assert "(request " in sentence, line
        return code


@dataclass(frozen=True)
class Curl:
    """curl, pointed at one server."""

    program: str
    server: Installation
    openssl: OpenSSL
    directory: Path
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run curl with nothing of ours but the trust anchor."""
        return subprocess.run(
            [
                *(self.program, "--silent", "--show-error", "--max-time", str(SECONDS)),
                *("--cacert", str(self.server.server_ca)),
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
        )

    def request(
        self, operation: str, *options: object, credentials: tuple[Path, Path] | None = None
    ) -> Reply:
        """One request; never fails by itself, whatever comes back."""
        number = next(self._numbers)
        head, body = self.directory / f"head-{number}", self.directory / f"body-{number}"
        identity = ("--cert", credentials[0], "--key", credentials[1]) if credentials else ()
        done = self.run(
            *identity,
            *("--dump-header", head, "--output", body, "--write-out", "%{http_code}"),
            *options,
            self.server.url(operation),
        )
        return Reply(
            exit_code=done.returncode,
            status=int(done.stdout or 0),
            head=head.read_bytes() if head.exists() else b"",
            body=body.read_bytes() if body.exists() else b"",
            complaint=done.stderr,
        )

    def get(self, operation: str, *options: object, **how: tuple[Path, Path] | None) -> Reply:
        """GET, without a client certificate unless ``credentials`` are given."""
        return self.request(operation, *options, **how)

    def post(
        self,
        operation: str,
        body: bytes,
        *options: object,
        credentials: tuple[Path, Path] | None,
        headers: tuple[str, ...] = PKCS10,
    ) -> Reply:
        """POST exactly these bytes."""
        path = self.directory / f"data-{next(self._numbers)}"
        path.write_bytes(body)
        return self.request(
            operation, *headers, "--data-binary", f"@{path}", *options, credentials=credentials
        )

    def enroll(
        self,
        csr: bytes,
        *options: object,
        credentials: tuple[Path, Path] | None = None,
        operation: str = "simpleenroll",
    ) -> Reply:
        """Send a CSR (DER) the way RFC 8951 has it, as the bootstrap client by default."""
        return self.post(
            operation,
            base64.b64encode(csr),
            *options,
            credentials=credentials or self.server.test_client,
        )

    def make_device(self, common_name: str) -> Device:
        """Enroll a new device with the bootstrap client certificate."""
        key = self.openssl.make_key(self.directory / f"{common_name}.key")
        reply = self.enroll(self.openssl.make_csr(key, common_name))
        return self.keep(common_name, key, reply)

    def keep(self, common_name: str, key: Path, reply: Reply) -> Device:
        """Store a reply's certificate as a device does: openssl takes the PKCS #7 apart."""
        path = self.directory / f"{common_name}-{next(self._numbers)}.pem"
        self.openssl("pkcs7", "-inform", "DER", "-print_certs", "-out", path, data=reply.der)
        return Device(common_name, key, path)
