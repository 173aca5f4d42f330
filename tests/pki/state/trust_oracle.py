"""What a test knows of a small fleet by itself: who holds a name, and what is denied or distrusted.

It asks the server nothing. So a rule that the server forgets in one place shows as a difference.
"""

from dataclasses import dataclass, field

from cryptography import x509

from pki.csr.public_keys import public_key_sha256
from pki.encoding.certificates import signed_part_sha256


@dataclass(frozen=True)
class FactoryClient:
    """A client certificate of an outside CA. Two of one ``identity`` differ in the signature."""

    identity: str
    ca: str
    common_name: str
    certificate: x509.Certificate = field(compare=False)

    @property
    def key(self) -> str:
        """The SHA-256 of its public key, as the denylist has it."""
        return public_key_sha256(self.certificate.public_key())

    @property
    def signed_sha256(self) -> str:
        """The SHA-256 of its signed part."""
        return signed_part_sha256(self.certificate)


@dataclass
class DeviceCertificate:
    """A certificate that the server issued to a device."""

    name: str
    serial_as_sent: str
    """The device's serial number, or "" if it has none."""
    label: str
    certificate: x509.Certificate
    is_revoked: bool = False

    @property
    def serial(self) -> str:
        """The device's serial number, folded."""
        return folded(self.serial_as_sent)

    @property
    def key(self) -> str:
        """The SHA-256 of its public key, as the denylist has it."""
        return public_key_sha256(self.certificate.public_key())


def folded(text: str) -> str:
    """Return a name or serial number as this test compares it."""
    return " ".join(text.split()).casefold()


@dataclass
class Oracle:
    """The state of the fleet, as far as the invariants speak of it."""

    holders: dict[str, FactoryClient] = field(default_factory=dict)
    """The client that holds each name."""
    issued: list[DeviceCertificate] = field(default_factory=list)
    denied: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of kind and value; a client is denied by its identity."""
    distrusted: set[str] = field(default_factory=set)
    """Names of CAs, "device" among them."""

    def holds(self, client: FactoryClient, name: str, *, goes_by_name: bool) -> bool:
        """Return whether the client may have a name that somebody holds."""
        holder = self.holders.get(name)
        if holder is None or holder.identity == client.identity:
            return True
        same_name = (holder.ca, holder.common_name) == (client.ca, client.common_name)
        return goes_by_name and same_name

    def may_not_enroll(
        self, client: FactoryClient, name: str, serial: str, key: str, *, goes_by_name: bool
    ) -> str:
        """Return why the client must be refused, or "" if the invariants let it pass."""
        said = {
            ("client", client.identity),
            ("key", client.key),
            ("name", folded(client.common_name)),
            ("key", key),
            ("name", name),
            ("device-serial", serial or self._only_serial_of(name)),
        }
        if said & self.denied:
            return f"{said & self.denied} is denied"
        if client.ca in self.distrusted or "device" in self.distrusted:
            return "a CA is distrusted"
        if not self.holds(client, name, goes_by_name=goes_by_name):
            return f"{self.holders[name].identity} holds the name"
        return ""

    def may_not_renew(
        self, device: DeviceCertificate, name: str, serial: str, key: str, label: str
    ) -> str:
        """Return why the device must be refused, or "" if the invariants let it pass."""
        said = {
            ("key", device.key),
            ("key", key),
            ("name", device.name),
            ("device-serial", serial),
            ("device-serial", device.serial),
        }
        if said & self.denied:
            return f"{said & self.denied} is denied"
        if "device" in self.distrusted:
            return "its CA is distrusted"
        if device.is_revoked:
            return "it is revoked"
        if name != device.name:
            return "it is another device's name"
        if label != device.label:
            return "it is another label's certificate"
        return ""

    def is_stopped(self, device: DeviceCertificate) -> bool:
        """Return whether AWS IoT must not have the certificate ACTIVE."""
        said = {("key", device.key), ("name", device.name), ("device-serial", device.serial)}
        return device.is_revoked or bool(said & self.denied) or "device" in self.distrusted

    def _only_serial_of(self, name: str) -> str:
        """Return the serial number that all certificates of the name have, or ""."""
        known = {device.serial for device in self.issued if device.name == name}
        return known.pop() if len(known) == 1 else ""
