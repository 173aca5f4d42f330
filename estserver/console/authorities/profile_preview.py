"""The part of a profile's preview that shows the certificate, and the thing it would become."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from estserver.console.things import thing_table
from estserver.console.tools.page_parts import facts, verdict_table, verdict_words
from estserver.tools.decoded import contents_groups
from estserver.tools.profile_preview import ProfilePreview, preview_profile
from estserver.tools.verdicts import Outcome
from pki.admin import profile_preview
from pki.admin.display import chip, visible
from pki.models import CertificateProfile
from pki.operators.errors import OperatorError


def preview(profile: CertificateProfile, sample: profile_preview.Sample) -> SafeString:
    """Return what the settings would make of the sample, or why nothing."""
    try:
        found = preview_profile(profile, csr=sample.csr, client=sample.client)
    except OperatorError as error:
        return format_html("<p>{} {}</p>", chip("No sample", "soon"), visible(str(error)))
    return format_html(
        "{}{}{}{}", _request(found), _certificate(found), _thing(found), _steps(found)
    )


def _request(found: ProfilePreview) -> SafeString:
    answer = found.answer
    word = chip("Granted", "good") if answer.is_granted else chip("Refused", "bad")
    said = gettext("The client CN=%(client)s sends the CSR.") % {"client": visible(found.client)}
    return format_html("<p>{} {} {}</p>", word, said, visible(found.note))


def _certificate(found: ProfilePreview) -> SafeString:
    """Return the certificate in words, or the step that refused it and what to do."""
    refused = [one for one in found.answer.verdicts if one.outcome is Outcome.REFUSED]
    if refused:
        words = ((f"{one.step}: ", verdict_words(one)) for one in refused)
        return format_html_join("", "<p>{}{}</p>", words)
    certificate = found.answer.certificate
    return facts(contents_groups(certificate)) if certificate is not None else SafeString()


def _thing(found: ProfilePreview) -> SafeString:
    said = [one for one in found.answer.verdicts if one.step == "thing" and one.finding]
    words = format_html_join("", "<p>{}</p>", ((verdict_words(one),) for one in said))
    shown = thing_table(found.thing) if found.thing is not None else ""
    if not (words or shown):
        return SafeString()
    return format_html("<h3>{}</h3>{}{}", gettext("Thing in AWS IoT"), words, shown)


def _steps(found: ProfilePreview) -> SafeString:
    title = gettext("What each rule said")
    table = verdict_table(found.answer.verdicts)
    return format_html("<details><summary>{}</summary>{}</details>", title, table)


profile_preview.register(preview)
