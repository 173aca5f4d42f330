"""Reason codes of the CA: why it refused or failed, for devices, logs, the admin and the docs.

What only HTTP knows (the method, the body's encoding, the Host header) has its own codes beside
the EST views, in `estserver.est.reasons`. ``docs/reason-codes.md`` lists both
(``manage.py reason_codes``). A code keeps its meaning after its release. A new meaning is a new
code.
"""

from enum import Enum
from typing import Self


class ReasonCode(Enum):
    """A stable code, one sentence on what it means, and one or two on what to do about it."""

    def __new__(cls, code: str, *texts: object) -> Self:
        member = object.__new__(cls)
        member._value_ = code
        return member

    def __init__(self, code: str, meaning: str, advice: str) -> None:
        self.code = code
        self.meaning = meaning
        self.advice = advice

    def __str__(self) -> str:
        return self.code


class Reason(ReasonCode):
    """Why the CA refused a request, or could not answer it."""

    # The CSR
    BODY_TOO_LARGE = (
        "body-too-large",
        "The CSR is larger than any that the server signs.",
        "Send only the CSR, without a chain or attachments.",
    )
    CSR_MALFORMED = (
        "csr-malformed",
        "The body is not a PKCS #10 certification request (RFC 2986).",
        "The answer names the part at fault. Make the CSR with a maintained library, in DER.",
    )
    CSR_TOO_COMPLEX = (
        "csr-too-complex",
        "The CSR has more names, attributes or extensions than any device needs.",
        "Leave out what the certificate profile does not use.",
    )
    PROOF_OF_POSSESSION_FAILED = (
        "proof-of-possession-failed",
        "The CSR's signature does not verify with the key inside it (RFC 7030 3.4).",
        "Sign the CSR with the private key whose public key it contains.",
    )
    POP_LINKING_UNVERIFIABLE = (
        "pop-linking-unverifiable",
        "The CSR carries a challengePassword, which cannot be tied to this TLS session.",
        "Leave challengePassword out. The csrattrs response does not ask for it (RFC 7030 3.5).",
    )
    KEY_NOT_ALLOWED = (
        "key-not-allowed",
        "The profile does not allow the key's type, size or exponent.",
        "Use P-256, P-384, P-521 or RSA 2048, 3072, 4096 with e=65537.",
    )
    KEY_WEAK = (
        "key-weak",
        "The key can be broken, because of small factors, close primes or the ROCA fingerprint.",
        "Make a new key with a maintained library and a good source of randomness.",
    )
    KEY_IN_USE = (
        "key-in-use",
        "Another thing name already has a certificate for this public key.",
        "Make a separate key on each device.",
    )
    KEY_REUSE_REFUSED = (
        "key-reuse-refused",
        "The profile asks for a new key at each renewal.",
        "Re-enroll with a newly made key (rekey, RFC 7030 4.2.2).",
    )
    COMMON_NAME_MISSING = (
        "common-name-missing",
        "The CSR's subject has no common name.",
        "Put the thing name into CN.",
    )
    COMMON_NAME_AMBIGUOUS = (
        "common-name-ambiguous",
        "The CSR's subject has more than one common name.",
        "Send exactly one CN.",
    )
    COMMON_NAME_NOT_ALLOWED = (
        "common-name-not-allowed",
        "The common name cannot be an AWS IoT thing name.",
        "Use 1 to 64 characters of a-z, A-Z, 0-9, ':', '_' and '-'.",
    )
    SERIAL_NUMBER_REQUIRED = (
        "serial-number-required",
        "The profile asks for a serialNumber in the subject, and the CSR has none.",
        "Put the device's serial number into the subject (OID 2.5.4.5).",
    )
    SUBJECT_NOT_ALLOWED = (
        "subject-not-allowed",
        "The subject contains an attribute or a value that the profile does not allow.",
        "Leave it out, or add it to the profile's subject attributes.",
    )
    SAN_NOT_ALLOWED = (
        "san-not-allowed",
        "The CSR asks for a subject alternative name that the profile does not allow.",
        "Leave it out, or change the profile's SAN rule.",
    )
    # The client
    CLIENT_CERTIFICATE_MALFORMED = (
        "client-certificate-malformed",
        "The client certificate cannot be read.",
        "The answer names the part at fault. Have the certificate made anew, as X.509 version 3 in "
        "DER.",
    )
    CLIENT_CERTIFICATE_UNTRUSTED = (
        "client-certificate-untrusted",
        "None of the CAs on record signed the client certificate.",
        "Use a certificate from a client CA or device CA that the admin lists.",
    )
    CLIENT_CERTIFICATE_EXPIRED = (
        "client-certificate-expired",
        "The client certificate is not valid at this time.",
        "Enroll again with the bootstrap certificate, and check the device's clock.",
    )
    CLIENT_CERTIFICATE_UNSUITABLE = (
        "client-certificate-unsuitable",
        "The client certificate's extended key usage does not include clientAuth.",
        "Use a certificate made for TLS clients.",
    )
    CLIENT_CERTIFICATE_UNKNOWN = (
        "client-certificate-unknown",
        "A CA of this server signed the client certificate, but the certificate is not on record.",
        "Enroll again. If the CA was adopted from elsewhere, inform the operator.",
    )
    CLIENT_CERTIFICATE_REVOKED = (
        "client-certificate-revoked",
        "The client certificate has been revoked.",
        "Ask the operator. A revoked certificate never becomes valid again.",
    )
    CLIENT_CERTIFICATE_SUPERSEDED = (
        "client-certificate-superseded",
        "The client certificate was replaced, and its overlap time is over.",
        "Use the certificate that replaced it.",
    )
    CA_DISTRUSTED = (
        "ca-distrusted",
        "The operator of this server distrusts the CA that the certificate leads to.",
        "Use a certificate of another CA. Trust in a CA does not come back.",
    )
    CLIENT_DENIED = (
        "client-denied",
        "The denylist names the client certificate.",
        "Ask the operator, who can remove the entry (manage.py allow, or the admin's denylist).",
    )
    # What the client may have
    DEVICE_DENIED = (
        "device-denied",
        "The denylist names this device.",
        "Ask the operator, who can remove the entry (manage.py allow, or the admin's denylist).",
    )
    CLIENT_CA_NOT_ACCEPTED = (
        "client-ca-not-accepted",
        "The label's profile does not accept clients of the CA that signed the client certificate.",
        "Use the label that is meant for the client, or have the operator add its CA to the "
        "profile (client_cas).",
    )
    DEVICE_OF_ANOTHER_PROFILE = (
        "device-of-another-profile",
        "Another profile issued the device certificate, and the label's profile does not accept "
        "that one's.",
        "Use the label at which the device enrolled, or have the operator add its profile to this "
        "one (accepted_profiles).",
    )
    NAME_NOT_YOURS = (
        "name-not-yours",
        "The profile's identity rule does not let this client have this thing name.",
        "Ask for the name that belongs to the client certificate, or change the rule.",
    )
    NAME_BOUND_TO_ANOTHER = (
        "name-bound-to-another",
        "Another client certificate enrolled this thing name first.",
        "Use that client's certificate, or have the operator release the name.",
    )
    TOO_MANY_NEW_NAMES = (
        "too-many-new-names",
        "The client has enrolled as many new thing names within an hour as the profile allows.",
        "Send the request again after the seconds in Retry-After. Renewals do not count.",
    )
    NO_MORE_NEW_NAMES = (
        "no-more-new-names",
        "The client has enrolled as many new thing names as the profile ever allows it.",
        "Use another client certificate, or have the operator raise new_names_ever.",
    )
    NOTHING_TO_RENEW = (
        "nothing-to-renew",
        "There is no certificate on file for this thing name.",
        "Enroll first (simpleenroll).",
    )
    SUBJECT_CHANGED = (
        "subject-changed",
        "The CSR's subject differs from the certificate to be renewed (RFC 7030 4.2.2).",
        "Send the same subject, in the same order.",
    )
    SAN_CHANGED = (
        "san-changed",
        "The CSR's subject alternative name differs from the certificate to be renewed.",
        "Send the same SAN (RFC 7030 4.2.2).",
    )
    CHANGE_SUBJECT_NAME_REFUSED = (
        "change-subject-name-refused",
        "The CSR asks for a new subject (ChangeSubjectName, RFC 6402), which the server refuses.",
        "Re-enroll under the name on file, or enroll under the new one.",
    )
    REENROLL_TOO_EARLY = (
        "reenroll-too-early",
        "The certificate on file is not yet within the profile's renewal window.",
        "Renew later, or widen the profile's renewal window.",
    )
    REENROLL_NEEDS_DEVICE_CERTIFICATE = (
        "reenroll-needs-device-certificate",
        "The profile renews only for the device's own certificate.",
        "Connect with the device certificate, not with the bootstrap client certificate.",
    )
    HOOK_REFUSED = (
        "hook-refused",
        "A hook of this installation refused the request.",
        "The sentence after the code comes from the hook.",
    )
    SIGNER_REFUSED = (
        "signer-refused",
        "The external PKI refused to sign.",
        "The sentence after the code comes from the PKI.",
    )
    # What the server could not do
    SIGNER_UNAVAILABLE = (
        "signer-unavailable",
        "The CA's key or the external PKI cannot be reached.",
        "Try again later. Operators find the cause with manage.py check and in the log.",
    )
    SIGNER_MISBEHAVED = (
        "signer-misbehaved",
        "The signer returned something else than the certificate that was asked for.",
        "Nothing was issued. Operators find in the log what was wrong with it.",
    )
    CA_UNAVAILABLE = (
        "ca-unavailable",
        "No CA that could issue is set up, or it has expired.",
        "Operators set one up with manage.py bootstrap_cas.",
    )
    DATABASE_UNAVAILABLE = (
        "database-unavailable",
        "The database cannot be reached, or was too busy.",
        "Try again later.",
    )
    HOOK_FAILED = (
        "hook-failed",
        "A hook of this installation failed.",
        "Try again later. Operators find the traceback in the log.",
    )
    LABEL_CA_DISTRUSTED = (
        "label-ca-distrusted",
        "The operator of this server distrusts the CA that issues at this label.",
        "Use another label, or ask the operator, who can name another CA (profile_set).",
    )
    LABEL_UNKNOWN = (
        "label-unknown",
        "No certificate profile has this label.",
        "Use a label that the admin lists, or none (RFC 7030 3.2.2).",
    )
