"""The pictures of pages that docs/console.md has no words for: their addresses and their place."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import resolve, reverse

from bench.console import pages
from estserver.models import OfficerRequest, TruststorePush
from iotprov.models import Provisioning
from pki.models import CertificateAuthority, IssuedCertificate, Job
from tests.estserver.console.everywhere import page_names

BEGIN, END = "<!-- The pictures of every page: make screenshots -->", "<!-- End of the pictures -->"

SHOWN_ELSEWHERE = frozenset(
    {
        "console_second_factor_code",  # only between password and code
        "console_second_factor_reset",  # of an account that has one
        "console_test_enroll_clean_up",  # after a test enrollment
        "iotprov_policyversion_push-this",
        "iotprov_policyversion_roll-back",
        "iotprov_templateversion_push-this",
        "iotprov_templateversion_roll-back",  # of a version that is not in force
        "estserver_truststorepush_roll-back",  # of a version that is not the active one
        "login",
        "pki_job_continue",  # of a job that an error stopped
        "pki_certificateprofile_compare",
        "pki_certificateprofile_roll-back",  # of a profile with two versions
        "pki_issuedcertificate_deny",  # leads to the denylist's page
        "pki_certificateauthority_retire",  # of a CA that has a successor
    }
)
"""Names of pages that lead to another page in the installation of the pictures."""


def name_of(address: str) -> str:
    """Return the name of the page at an address, by the resolver."""
    return str(resolve(urlsplit(address).path).url_name)


def other_pages(client: Client, person: object, known: Iterable[str]) -> dict[str, str]:
    """Return a name of a picture, and the address, of each page that has none among ``known``."""
    wanted = page_names() - {name_of(address) for address in known}
    client_row = IssuedCertificate.objects.get(operation=IssuedCertificate.Operation.CLIENT)
    filtered = reverse("admin:pki_issuedcertificate_changelist")
    candidates = [
        *(page.url for page in pages(admin.site, person)),
        reverse("admin:console_request", args=[OfficerRequest.objects.latest("pk").pk]),
        reverse("admin:pki_issuedcertificate_key-file", args=[client_row.pk]),
        *(f"{filtered}{one}-matching/?q=pump" for one in ("revoke", "reprovision")),
        *_operations("pki_job", Job, "cancel", "continue"),
        *_operations("iotprov_provisioning", Provisioning, "park", "retry"),
        *_operations("pki_certificateauthority", CertificateAuthority, "register", "retire"),
        *_operations("estserver_truststorepush", TruststorePush, "roll-back"),
    ]
    found: dict[str, str] = {}
    for address in candidates:
        name = name_of(address)
        if name in wanted and client.get(address).status_code == 200:
            wanted.discard(name)
            found[name.replace("_", "-")] = address
    return found


def _operations(stem: str, model: type[Model], *slugs: str) -> Iterator[str]:
    """Yield the addresses of operations of every row, of which only some rows have the page."""
    for row in model._default_manager.all():
        yield from (reverse(f"admin:{stem}_{slug}", args=[row.pk]) for slug in slugs)


def write(page: Path, titles: dict[str, str]) -> None:
    """Put the pictures into the page, by name, in place of those that are there."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [
        f"![{title}{words}](pictures/console/{name}-{theme}.png)"
        for name, title in sorted(titles.items())
        for theme, words in (("light", ""), ("dark", " in the dark"))
    ]
    page.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{after}"]), encoding="utf-8")


def shrink(path: Path) -> None:
    """Write a picture with 64 colours in place of millions: pages have few, and a third remains."""
    from PIL import Image  # for make screenshots alone

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(
            64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    few.save(path, optimize=True)
