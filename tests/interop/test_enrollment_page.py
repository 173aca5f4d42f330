"""The page of the test enrollment, in a real browser by keyboard, against the real server."""

import os
from pathlib import Path

import pytest

from tests.support.chromium import chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.interop

PASSWORD = "a long password of alice"


def test_a_person_runs_a_test_enrollment_and_takes_it_back(server, chromium):
    server.ask(f"""
        from django.contrib.auth.models import User
        User.objects.create_superuser("alice", password={PASSWORD!r})
        answer = True
    """)
    admin = f"http://127.0.0.1:{server.admin_port}/admin"

    # Step 1: sign in, and find the tool in the navigation.
    chromium.open(f"{admin}/")
    chromium.tab_to("#id_username")
    chromium.type("alice")
    chromium.tab_to("#id_password")
    chromium.type(PASSWORD)
    chromium.press("Enter", leads_on=True)
    chromium.tab_to('#console-nav a[href$="/tools/test-enroll/"]')
    chromium.press("Enter", leads_on=True)

    # Step 2: run the test.
    chromium.tab_to("#id_name")
    chromium.type("bench-page-1")
    chromium.press("Enter", leads_on=True)
    said = chromium.run("document.querySelector('#answer').innerText")
    if directory := os.environ.get("EST_SCREENSHOTS"):
        chromium.screenshot(Path(directory) / "tool_test_enroll.png")
    assert f"https://localhost:{server.port}" in chromium.run("document.body.innerText")
    assert said.count("OK") >= 7
    assert "simplereenroll" in said
    assert "Failed" not in said

    # Step 3: take it back.
    chromium.tab_to('#content-main a.button[href*="clean-up"]')
    chromium.press("Enter", leads_on=True)
    assert chromium.run("document.querySelectorAll('.effects li').length") == 3
    chromium.tab_to("input[type=submit].danger")
    chromium.press("Enter", leads_on=True)
    assert "3 certificates of the test were revoked." in chromium.run("document.body.innerText")
    states = server.ask("""
        from pki.models import IssuedCertificate
        rows = IssuedCertificate.objects.filter(common_name="bench-page-1")
        answer = list(rows.values_list("state", flat=True))
    """)
    assert states == ["revoked"] * 3
    assert chromium.complaints == []
