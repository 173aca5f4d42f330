"""Which signers can have the key of a new CA, and where each keeps it, in words."""

from dataclasses import dataclass

from pki.authorities.new_authority import check_keeps_keys
from pki.conf import pki_settings
from pki.operators.errors import OperatorError
from pki.signers import KeySigner, get_signer


@dataclass(frozen=True, slots=True)
class KeptBy:
    """The signers that can keep keys of new CAs here, and why others cannot."""

    labels: dict[str, str]
    """By alias: the alias, and where the signer keeps keys."""
    refusals: tuple[str, ...]


def custody_of(alias: str) -> str:
    """Return a signer's alias and where the key is: ``keyfile: an encrypted file on this server``.

    A signer that the configuration does not have any more is named alone.
    """
    try:
        custody = get_signer(alias).custody
    except OperatorError:
        return alias
    return f"{alias}: {custody}" if custody else alias


def signers_for_made_keys() -> KeptBy:
    """Return the signers that can have a key made for a new CA."""
    return _kept_by(takes_keys=False)


def signers_for_given_keys() -> KeptBy:
    """Return the signers that can store a key that was made elsewhere."""
    return _kept_by(takes_keys=True)


def _kept_by(*, takes_keys: bool) -> KeptBy:
    labels, refusals = {}, []
    for alias in sorted(pki_settings().signers):
        try:
            signer = get_signer(alias)
            if isinstance(signer, KeySigner) and (signer.takes_keys or not takes_keys):
                check_keeps_keys(alias)
                labels[alias] = custody_of(alias)
        except OperatorError as error:
            refusals.append(str(error))
    return KeptBy(labels, tuple(refusals))
