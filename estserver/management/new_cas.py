"""``cas create`` and ``cas import``: put a new CA on record, and say what to do with it next."""

import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.authorities.create import create_authority
from pki.authorities.import_ca import check_key, import_authority
from pki.authorities.new_authority import (
    MOST_YEARS,
    check_certificates,
    check_keeps_keys,
    check_makes_keys,
    check_name,
    check_signer_of_import,
    check_subject,
    check_validity,
)
from pki.authorities.pem_files import read_certificates, read_private_key
from pki.authorities.signer_keys import find_key
from pki.csr.key_algorithms import CA_KEY_ALGORITHMS, KeyAlgorithm
from pki.csr.subjects import name_text
from pki.encoding.certificates import fingerprint_of
from pki.models import CertificateAuthority
from pki.operators.command import OperatorCommand, command_actor, misuse, refuse
from pki.operators.effects import Effect
from pki.operators.secret_input import read_secret

Purpose = CertificateAuthority.Purpose


class _NewCA(OperatorCommand):
    """What both commands share."""

    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name, the role and the reason."""
        parser.add_argument("name", metavar="NAME", help="the new CA's name")
        parser.add_argument(
            "--role",
            choices=[one.value for one in Purpose],
            required=True,
            help="whose certificates it signs",
        )
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def check_reason(self, reason: str) -> None:
        """Refuse an empty reason."""
        if not reason.strip():
            refuse("A new CA needs a reason (--reason). The reason is kept on the audit trail.")

    def say_next(self, ca: CertificateAuthority) -> None:
        """Print what remains to be done."""
        from estserver.console.authorities.next_steps import next_steps  # it loads the console

        for step in next_steps(ca):
            self.say(f"next: {step.said}", command=step.command)
            if not self.is_json:
                self.say(f"   {step.command}")


class CreateCA(_NewCA):
    """See ``help``."""

    help = (
        "Make a CA: a new key, which the signer keeps, and a self-signed certificate. Nothing is "
        "issued from it until a profile names it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what the certificate says, and the signer."""
        super().add_arguments(parser)
        parser.add_argument("--common-name", required=True, help="the subject's CN")
        parser.add_argument(
            "--key-algorithm",
            choices=CA_KEY_ALGORITHMS,
            default=KeyAlgorithm.EC_P256.value,
            help="of its key (default: %(default)s)",
        )
        parser.add_argument(
            "--years",
            type=int,
            default=10,
            help=f"how long it is valid, 1 to {MOST_YEARS} (default: %(default)s)",
        )
        parser.add_argument(
            "--signer",
            default="keyfile",
            help="the alias of the signer that keeps the key (default: %(default)s)",
        )

    def handle(
        self,
        *args: Any,
        name: str,
        role: str,
        common_name: str,
        key_algorithm: str,
        years: int,
        signer: str,
        reason: str,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print which CA was made, and what to do next."""
        purpose, validity = Purpose(role), datetime.timedelta(days=365 * years)
        self.check_reason(reason)
        if dry_run:
            check_name(name)
            check_subject(purpose, common_name)
            check_validity(validity)
            check_makes_keys(signer, purpose, name)
            self.say(
                f"{name} would be made with a key ({key_algorithm}) that the signer {signer} "
                "would keep. Nothing was changed."
            )
            return
        ca = create_authority(
            purpose,
            name,
            common_name=common_name,
            key_algorithm=key_algorithm,
            validity=validity,
            signer=signer,
            actor=command_actor(),
            reason=reason,
        )
        self.say(
            f"{ca} is made, and valid until {ca.not_after:%Y-%m-%d}",
            ca=ca.name,
            not_after=ca.not_after.isoformat(),
            sha256=ca.fingerprint_sha256,
        )
        self.say_next(ca)


class ImportCA(_NewCA):
    """See ``help``."""

    help = (
        "Put a CA on record that was made elsewhere. With --key, the signer stores its key. With "
        "--signer alone, the signer has the key, or reaches the PKI that signs. With neither, a "
        "client CA is trusted and signs nothing here."
    )
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the files and the signer."""
        super().add_arguments(parser)
        parser.add_argument(
            "certificates",
            type=Path,
            metavar="FILE",
            help="PEM: the CA's certificate, then those above it up to the root",
        )
        parser.add_argument("--key", type=Path, metavar="FILE", help="PEM: the CA's private key")
        parser.add_argument(
            "--passphrase",
            action="store_true",
            help="the key is encrypted: ask for its passphrase, or read it from standard input",
        )
        parser.add_argument("--signer", default="", help="the signer's alias; keyfile with --key")

    def handle(
        self,
        *args: Any,
        name: str,
        role: str,
        certificates: Path,
        key: Path | None,
        passphrase: bool,
        signer: str,
        reason: str,
        dry_run: bool,
        yes: bool,
        **options: Any,
    ) -> None:
        """Print what the certificate is, ask, and print which CA is on record now."""
        # Step 1: refuse what does not fit together, before a passphrase is asked for.
        purpose, signer = Purpose(role), signer or ("keyfile" if key else "")
        self.check_reason(reason)
        if passphrase and key is None:
            misuse("There is no key that a passphrase could open. Name its file with --key.")
        found = read_certificates(certificates)
        check_name(name)
        check_certificates(found)
        check_signer_of_import(purpose, signer)
        # Step 2: the key, or who has it.
        private_key = None
        if key is not None:
            check_keeps_keys(signer)
            secret = read_secret("Passphrase of the key") if passphrase else ""
            private_key = read_private_key(key, passphrase=secret)
            check_key(private_key, found[0])
        elif signer:
            find_key(signer, found[0])
        # Step 3: the person compares what the owner of the CA told them.
        digest = fingerprint_of(found[0])
        self.say(f"{name}: {name_text(found[0].subject)}, SHA-256 {digest}", sha256=digest)
        if dry_run:
            self.say(f"{name} would be put on record. Nothing was changed.")
            return
        self.confirm(name, is_confirmed=yes)
        ca = import_authority(
            purpose,
            name,
            found,
            key=private_key,
            signer=signer,
            actor=command_actor(),
            reason=reason,
        )
        self.say(
            f"{ca} is on record, and valid until {ca.not_after:%Y-%m-%d}",
            ca=ca.name,
            not_after=ca.not_after.isoformat(),
        )
        self.say_next(ca)
