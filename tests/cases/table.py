"""The table of results in tests/cases/README.md: compared by the tests, and written by them.

``WRITE_CASES=1 pytest tests/cases tests/interop/test_cases.py`` writes the results into the file.
"""

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"

WHAT = {
    "csr-ecdsa-null.der": "CSR: NULL parameters in the identifier ecdsa-with-SHA256",
    "csr-printable-underscore.der": "CSR: CN `MP_kit_01` as PrintableString",
    "csr-printable-bang.der": "CSR: O `Acme!` as PrintableString",
    "csr-critical-false.der": "CSR: an extension with critical FALSE written out",
    "csr-no-attributes.der": "CSR: the attributes field is left out",
    "csr-version-1.der": "CSR: version INTEGER 1",
    "csr-rdn-unsorted.der": "CSR: CN and C in one RDN, the SET is not sorted",
    "csr-attributes-unsorted.der": "CSR: two attributes, the SET is not sorted",
    "csr-extreq-empty-set.der": "CSR: extensionRequest without a value",
    "csr-san-of-est-host.der": "CSR of the CDK sample's client: the EST server's host in the SAN",
    "csr-san-ip.der": "CSR: the same, with an IP address in the SAN",
    "body-base64-of-pem.b64": "Body: base64 of a PEM file",
    "request-head-cacerts.txt": "Request: HEAD /cacerts",
    "request-without-host.txt": "Request: HTTP/1.1 without Host",
    "request-healthz-by-ip.txt": "Request: a probe with an IP address in Host",
    "client-ca.pem": "The CA of the client certificates below",
    "client-issuer-utf8.pem": "Client: the issuer's name in another string type than the CA has",
    "client-issuer-case.pem": "Client: the issuer's name in another case than the CA has",
    "client-null.pem": "Client: NULL parameters in the identifier ecdsa-with-SHA256",
    "client-underscore.pem": "Client: CN `dev_01` as PrintableString",
    "client-t61.pem": "Client: a T61String in the subject",
    "client-critical-false.pem": "Client: an extension with critical FALSE written out",
    "device-ca-mixed-string-types.pem": "Device CA and root: two string types for one name",
    "truststore-mixed-string-types.pem": "Truststore: CA and root, two string types for one name",
    "truststore-ecdsa-null.pem": "Truststore: NULL parameters in ecdsa-with-SHA256",
    "truststore-printable-underscore.pem": "Truststore: `_` in a PrintableString",
    "truststore-critical-false.pem": "Truststore: an extension with critical FALSE written out",
    "own-server.pem": "Server certificate of an operator's own CA in the data directory",
    "cacerts-of-rsa4096-ca.b64": "/cacerts of an RSA-4096 CA, one line",
    "cacerts-after-successor.b64": "/cacerts after a rollover, one line",
    "config-half-year.yaml": "Configuration: `iotDeviceCertValidityYears: 0.5`",
    "config-level-lower-case.yaml": 'Configuration: `lambdaLoggerLevel: "info"`',
    "template-byte-order-mark.json": "Template: begins with a UTF-8 byte order mark",
    "template-thing-name-from-serial.json": "Template: ThingName is the serial number",
    "template-literal-thing-name.json": "Template: ThingName is one fixed name",
    "policy-other-account-and-region.json": "Policy: names another account and region",
}


def check_row(file: str, result: str) -> None:
    """Compare ``result`` with the row of ``file``, or write it there under WRITE_CASES=1."""
    row = f"| `{file}` | {WHAT[file]} | {result.replace('|', '&#124;')} |"
    if os.environ.get("WRITE_CASES"):
        _write(file, row)
    found = _rows().get(file)
    assert found == row, f"{README.name} is out of date: see {Path(__file__).name}"


def _rows() -> dict[str, str]:
    """Return the rows of the table by file."""
    lines = README.read_text().splitlines()
    return {match[1]: line for line in lines if (match := re.match(r"\| `([^`]+)` \|", line))}


def _write(file: str, row: str) -> None:
    rows = {**_rows(), file: row}
    text = README.read_text().partition("\n| File |")[0].rstrip()
    table = ["| File | What it is | Result |", "|---|---|---|"]
    table += [rows[name] for name in WHAT if name in rows]
    README.write_text("\n".join([text, "", *table, ""]))
