"""Why something was refused: one stable code each, for devices, logs, the admin and the docs.

``docs/reason-codes.md`` is generated from this enum (``manage.py reason_codes``). A code, once
released, keeps its meaning; a new meaning is a new code.
"""

from enum import Enum
from typing import Self


class Reason(Enum):
    """A refusal's code, what it means, and what to do about it."""

    # What a client sent
    BODY_EMPTY = (
        "body-empty",
        "The request has no body.",
        "Send the CSR as base64 of its DER form (RFC 8951 3).",
    )
    BODY_TOO_LARGE = (
        "body-too-large",
        "The request body is larger than any CSR we sign.",
        "Send only the CSR: no chain, no attachments.",
    )
    BODY_NOT_BASE64 = (
        "body-not-base64",
        "The request body is neither base64, PEM nor DER.",
        "Send base64 of the DER CSR, without other characters (RFC 4648 4).",
    )
    MEDIA_TYPE_WRONG = (
        "media-type-wrong",
        "The Content-Type isn't application/pkcs10.",
        "Send 'Content-Type: application/pkcs10', or set apiStrictHeadersCheck to false.",
    )
    CSR_MALFORMED = (
        "csr-malformed",
        "The body isn't a PKCS #10 certification request (RFC 2986).",
        "Look at it with: openssl req -in csr.der -inform DER -text",
    )
    CSR_TOO_COMPLEX = (
        "csr-too-complex",
        "The CSR has more names, attributes or extensions than any device needs.",
        "Leave out what the certificate profile doesn't use.",
    )
    PROOF_OF_POSSESSION_FAILED = (
        "proof-of-possession-failed",
        "The CSR's signature doesn't verify with the key inside it (RFC 7030 3.4).",
        "Sign the CSR with the private key whose public key it holds.",
    )
    POP_LINKING_UNVERIFIABLE = (
        "pop-linking-unverifiable",
        "The CSR carries a challengePassword, which can't be tied to this TLS session.",
        "Leave challengePassword out: csrattrs doesn't ask for it (RFC 7030 3.5).",
    )
    KEY_NOT_ALLOWED = (
        "key-not-allowed",
        "The key's type, size or exponent isn't one that the profile allows.",
        "Use P-256, P-384, P-521 or RSA 2048, 3072, 4096 with e=65537.",
    )
    KEY_WEAK = (
        "key-weak",
        "The key can be broken: small factors, close primes, or the ROCA fingerprint.",
        "Make a new key with a maintained library and a good source of randomness.",
    )
    KEY_IN_USE = (
        "key-in-use",
        "Another thing name already holds a certificate for this public key.",
        "Make a key of its own on each device.",
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
        "The common name can't be an AWS IoT thing name.",
        "Use 1 to 64 characters of a-z, A-Z, 0-9, ':', '_' and '-'.",
    )
    SERIAL_NUMBER_REQUIRED = (
        "serial-number-required",
        "The profile asks for a serialNumber in the subject, and the CSR has none.",
        "Put the device's serial number into the subject (OID 2.5.4.5).",
    )
    SUBJECT_NOT_ALLOWED = (
        "subject-not-allowed",
        "The subject holds an attribute or a value that the profile doesn't allow.",
        "Leave it out, or add it to the profile's subject attributes.",
    )
    SAN_NOT_ALLOWED = (
        "san-not-allowed",
        "The CSR asks for a subject alternative name that the profile doesn't allow.",
        "Leave it out, or change the profile's SAN rule.",
    )
    # Who is calling
    CLIENT_CERTIFICATE_MISSING = (
        "client-certificate-missing",
        "No client certificate came with the TLS connection.",
        "Connect with a client certificate, for example: curl --cert client.pem --key client.key",
    )
    CLIENT_CERTIFICATE_MALFORMED = (
        "client-certificate-malformed",
        "The client certificate can't be read.",
        "Use an X.509 version 3 certificate in DER or PEM form.",
    )
    CLIENT_CERTIFICATE_UNTRUSTED = (
        "client-certificate-untrusted",
        "The client certificate comes from none of the CAs on record.",
        "Use a certificate from a client CA or device CA that the admin lists.",
    )
    CLIENT_CERTIFICATE_EXPIRED = (
        "client-certificate-expired",
        "The client certificate isn't valid at this time.",
        "Enroll again with the bootstrap certificate; check the device's clock.",
    )
    CLIENT_CERTIFICATE_UNSUITABLE = (
        "client-certificate-unsuitable",
        "The client certificate's extended key usage doesn't include clientAuth.",
        "Use a certificate made for TLS clients.",
    )
    CLIENT_CERTIFICATE_UNKNOWN = (
        "client-certificate-unknown",
        "One of our CAs signed the client certificate, but it isn't on record.",
        "Enroll again; if the CA was adopted from elsewhere, tell the operator.",
    )
    CLIENT_CERTIFICATE_REVOKED = (
        "client-certificate-revoked",
        "The client certificate has been revoked.",
        "Ask the operator; a revoked certificate never comes back.",
    )
    CLIENT_CERTIFICATE_SUPERSEDED = (
        "client-certificate-superseded",
        "The client certificate was replaced, and its overlap time is over.",
        "Use the certificate that replaced it.",
    )
    CLIENT_DENIED = (
        "client-denied",
        "The denylist names the client certificate.",
        "Ask the operator: manage.py allow, or the admin's denylist.",
    )
    ENDPOINT_NOT_ALLOWED = (
        "endpoint-not-allowed",
        "The request didn't come through the EST domain.",
        "Call the server by its custom domain name, which does mutual TLS.",
    )
    # What it may have
    DEVICE_DENIED = (
        "device-denied",
        "The denylist names this device.",
        "Ask the operator: manage.py allow, or the admin's denylist.",
    )
    NAME_NOT_YOURS = (
        "name-not-yours",
        "The profile's identity rule doesn't let this client have this thing name.",
        "Ask for the name that belongs to the client certificate, or change the rule.",
    )
    NAME_BOUND_TO_ANOTHER = (
        "name-bound-to-another",
        "Another client certificate enrolled this thing name first.",
        "Use that client's certificate, or have the operator release the name.",
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
        "The CSR asks for a new subject (ChangeSubjectName, RFC 6402), which we don't grant.",
        "Re-enroll under the name on file, or enroll under the new one.",
    )
    REENROLL_TOO_EARLY = (
        "reenroll-too-early",
        "The certificate on file isn't yet within the profile's renewal window.",
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
        "The sentence after the code is the hook's own.",
    )
    SIGNER_REFUSED = (
        "signer-refused",
        "The external PKI refused to sign.",
        "The sentence after the code is the PKI's own.",
    )
    # What we couldn't do
    SIGNER_UNAVAILABLE = (
        "signer-unavailable",
        "The CA's key or the external PKI can't be reached.",
        "Try again after Retry-After seconds; operators: manage.py check, and the log.",
    )
    SIGNER_MISBEHAVED = (
        "signer-misbehaved",
        "The signer returned something that isn't the certificate we asked for.",
        "Nothing was issued. Operators: the log says what was wrong with it.",
    )
    CA_UNAVAILABLE = (
        "ca-unavailable",
        "No CA that could issue is set up, or it has expired.",
        "Operators: manage.py bootstrap_cas.",
    )
    DATABASE_UNAVAILABLE = (
        "database-unavailable",
        "The database can't be reached, or was too busy.",
        "Try again after Retry-After seconds.",
    )
    HOOK_FAILED = (
        "hook-failed",
        "A hook of this installation failed.",
        "Try again after Retry-After seconds; operators: the log has the traceback.",
    )
    INTERNAL_ERROR = (
        "internal-error",
        "Something went wrong on our side.",
        "Tell the operator the request id.",
    )
    # How it was asked
    LABEL_UNKNOWN = (
        "label-unknown",
        "No certificate profile answers to this label.",
        "Use a label that the admin lists, or none (RFC 7030 3.2.2).",
    )
    NOT_FOUND = (
        "not-found",
        "There is nothing at this path.",
        "EST is at /.well-known/est/<operation>, without a slash at the end.",
    )
    METHOD_NOT_ALLOWED = (
        "method-not-allowed",
        "This operation doesn't take this HTTP method.",
        "GET for cacerts and csrattrs, POST for the others.",
    )
    NOT_IMPLEMENTED = (
        "not-implemented",
        "The server doesn't offer this optional operation.",
        "Use simpleenroll and simplereenroll.",
    )
    HOST_NOT_ALLOWED = (
        "host-not-allowed",
        "The Host header names no domain of this server.",
        "Use the EST domain's own name.",
    )

    def __new__(cls, code: str, meaning: str, advice: str) -> Self:
        member = object.__new__(cls)
        member._value_ = code
        return member

    def __init__(self, code: str, meaning: str, advice: str) -> None:
        self.code = code
        self.meaning = meaning
        self.advice = advice

    def __str__(self) -> str:
        return self.code
