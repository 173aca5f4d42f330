"""One search over the records of the CA and of AWS IoT, for the page and the command `find`."""

from iotprov import search as of_aws_iot
from pki.search.find import find as find_on_record
from pki.search.findings import Findings


def find(typed: str, *, walks_everything: bool = False) -> Findings:
    """Return what a term or a pasted text means. Raises what `pki.search.find.find` raises."""
    found = find_on_record(typed, walks_everything=walks_everything)
    before = len(found.hits)
    found.add(of_aws_iot.find(typed))
    if found.hits and not before:
        found.advice.clear()
    return found
