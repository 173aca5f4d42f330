"""Ready commands for one device, as a person pastes them into a shell.

The pages, `quickstart` and the tests, which run them as they are printed, have them from here.
Each begins in a directory in which the device's files are or will be: device.key, device.pem.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from estserver.operations.est_address import ESTAddress

JAVA_CLIENT = "EstClient.java"
"""The file in the static files of the web admin with the client for Bouncy Castle."""

_JARS = ":".join(f"/usr/share/java/{name}.jar" for name in ("bcprov", "bcpkix", "bcutil"))

# OpenSSL's names of what a subject may have (``pki.csr.subjects``).
_OPENSSL_NAMES = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.DN_QUALIFIER: "dnQualifier",
}


@dataclass(frozen=True, slots=True)
class ClientFiles:
    """The files of the client that enrolls the device."""

    certificate: Path = Path("client.pem")
    key: Path = Path("client.key")
    pkcs12: Path = Path("client.p12")
    password: Path = Path("client.p12-password")
    """A file with the password of ``pkcs12``."""

    @classmethod
    def of_test_client(cls, directory: Path, name: str) -> "ClientFiles":
        """Return the files that `bootstrap_cas` made."""
        return cls(*(directory / f"{name}.{end}" for end in ("pem", "key", "p12", "p12-password")))


@dataclass(frozen=True, slots=True)
class DeviceCommands:
    """The commands of one client program."""

    title: str
    needs: str
    """What has to be there, as sentences."""
    lines: str


def openssl_subject(subject: x509.Name | None, common_name: str) -> str:
    """Return the argument of ``openssl req -subj`` for a subject, or for the name alone."""
    if subject is None:
        return f"/CN={_escaped(common_name)}"
    return "".join(
        f"/{_OPENSSL_NAMES.get(each.oid, each.oid.dotted_string)}={_escaped(str(each.value))}"
        for each in subject
    )


def _escaped(value: str) -> str:
    """Escape what separates the parts of ``-subj`` (openssl-req(1))."""
    return "".join(f"\\{one}" if one in "\\/+" else one for one in value)


def enrollment(
    common_name: str,
    address: ESTAddress,
    client: ClientFiles,
    *,
    label: str = "",
    subject: x509.Name | None = None,
) -> str:
    """Return the commands that enroll the device with openssl and curl."""
    url, trust = address.url(label), _trust(address)
    # Replies go to a file first. In a pipe, a refusal's sentence would be lost in base64's error.
    return f"""\
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key \\
  -subj {shlex.quote(openssl_subject(subject, common_name))} -utf8 -outform DER -out device.csr
curl -sS --fail-with-body{trust} \\
  --cert {_quoted(client.certificate)} --key {_quoted(client.key)} \\
  -H 'Content-Type: application/pkcs10' --data-binary "$(base64 -w0 device.csr)" \\
  -o device.b64 {url}/simpleenroll || cat device.b64
base64 -d device.b64 | openssl pkcs7 -inform DER -print_certs -out device.pem
{_ca_certificates(address, label)}
openssl verify -CAfile cacerts.pem device.pem"""


def _ca_certificates(address: ESTAddress, label: str) -> str:
    return f"""\
curl -sS --fail-with-body{_trust(address)} -o cacerts.b64 {address.url(label)}/cacerts
base64 -d cacerts.b64 | openssl pkcs7 -inform DER -print_certs -out cacerts.pem"""


def _renewal(address: ESTAddress, label: str) -> str:
    url, trust = address.url(label), _trust(address)
    # The new certificate replaces the old one last, so a refusal loses nothing.
    return f"""\
openssl x509 -x509toreq -copy_extensions copy -in device.pem -signkey device.key \\
  | openssl req -outform DER -out renewal.csr
curl -sS --fail-with-body{trust} --cert device.pem --key device.key \\
  -H 'Content-Type: application/pkcs10' --data-binary "$(base64 -w0 renewal.csr)" \\
  -o renewal.b64 {url}/simplereenroll || cat renewal.b64
base64 -d renewal.b64 | openssl pkcs7 -inform DER -print_certs -out renewed.pem
openssl x509 -in renewed.pem -noout -enddate && mv renewed.pem device.pem"""


def _strongswan(address: ESTAddress) -> str:
    trust = f" --cacert {_quoted(address.anchor)}" if address.anchor else ""
    return f"""\
pki --estca --url {address.origin}{trust} --caout est-ca.pem
openssl x509 -x509toreq -copy_extensions copy -in device.pem -signkey device.key \\
  | openssl req -outform DER -out renewal.csr
pki --est --in renewal.csr --cert device.pem --key device.key --url {address.origin}{trust} \\
  --cacert est-ca.pem --outform pem > renewed.pem
openssl x509 -in renewed.pem -noout -enddate && mv renewed.pem device.pem"""


def _bouncy_castle(common_name: str, address: ESTAddress, client: ClientFiles) -> str:
    anchor = _quoted(address.anchor) if address.anchor else "server-ca.pem"
    run = f"java -cp {_JARS} {JAVA_CLIENT} {address.host} {address.port} {anchor}"
    password = f'"$(cat {_quoted(client.password)})"'
    return f"""\
{run} \\
  enroll {_quoted(client.pkcs12)} {password} device.p12 {shlex.quote(common_name)}
{run} \\
  renew device.p12 {password} renewed.p12 && mv renewed.p12 device.p12"""


def _aws_iot_connection(common_name: str, region: str) -> str:
    """Return the commands that connect to AWS IoT with its SDK for Python.

    https://docs.aws.amazon.com/iot/latest/developerguide/server-authentication.html has the CA.
    """
    where = f" --region {shlex.quote(region)}" if region else ""
    return f"""\
curl -sS --fail-with-body -O https://www.amazontrust.com/repository/AmazonRootCA1.pem
ENDPOINT=$(aws iot describe-endpoint --endpoint-type iot:Data-ATS{where} \\
  --query endpointAddress --output text)
THING={shlex.quote(common_name)} ENDPOINT="$ENDPOINT" python3 - <<'END'
import os
from awsiot import mqtt_connection_builder
connection = mqtt_connection_builder.mtls_from_path(
    endpoint=os.environ["ENDPOINT"], client_id=os.environ["THING"],
    cert_filepath="device.pem", pri_key_filepath="device.key",
    ca_filepath="AmazonRootCA1.pem", port=8883,
)
connection.connect().result(timeout=20)
print("connected")
connection.disconnect().result(timeout=20)
END"""


def commands_for(
    common_name: str,
    address: ESTAddress,
    client: ClientFiles,
    *,
    label: str = "",
    subject: x509.Name | None = None,
    thing_name: str = "",
    region: str = "",
) -> Iterator[DeviceCommands]:
    """Yield the commands of each client program, filled in for the device.

    ``subject`` is the one of its certificate, and ``label`` that of its profile. ``thing_name`` is
    that in AWS IoT, if the device is to be there, and ``region`` the one of AWS IoT.
    """
    yield from _openssl_and_curl(common_name, address, client, label, subject)
    if not label:  # strongSwan has no option for a label, and the Java client takes none
        yield DeviceCommands(
            "Renew with strongSwan",
            "The Debian package is strongswan-pki. Its pki enrolls by HTTP Basic only, which this "
            "server does not offer, so it renews what another program enrolled.",
            _strongswan(address),
        )
        yield DeviceCommands(
            "Enroll and renew with Bouncy Castle",
            f"The Debian packages are default-jdk-headless and libbcpkix-java. {JAVA_CLIENT} is "
            "the file that this page links to.",
            _bouncy_castle(common_name, address, client),
        )
    if thing_name:
        yield DeviceCommands(
            "Connect to AWS IoT with its SDK",
            "The Python package is awsiotsdk, and the aws command asks for the endpoint. With JITP "
            "the first connection makes the thing and is closed; connect again some seconds later.",
            _aws_iot_connection(thing_name, region),
        )


def label_commands(
    address: ESTAddress, client: ClientFiles, label: str, common_name: str
) -> Iterator[DeviceCommands]:
    """Yield the commands for a label: fetch the CAs, enroll ``common_name``, renew it."""
    yield DeviceCommands(
        "Fetch the CA certificates with curl",
        "It needs no client certificate. The commands leave cacerts.pem.",
        _ca_certificates(address, label),
    )
    yield from _openssl_and_curl(common_name, address, client, label, None)


def _openssl_and_curl(
    common_name: str,
    address: ESTAddress,
    client: ClientFiles,
    label: str,
    subject: x509.Name | None,
) -> Iterator[DeviceCommands]:
    yield DeviceCommands(
        "Enroll with openssl and curl",
        "The client's certificate and key have to be those of the client that holds the name. The "
        "commands leave device.key and device.pem.",
        enrollment(common_name, address, client, label=label, subject=subject),
    )
    yield DeviceCommands(
        "Renew with openssl and curl",
        "device.key and device.pem are the device's own. It authenticates with them.",
        _renewal(address, label),
    )


def _trust(address: ESTAddress) -> str:
    return f" --cacert {_quoted(address.anchor)}" if address.anchor else ""


def _quoted(path: Path | None) -> str:
    return shlex.quote(str(path))
