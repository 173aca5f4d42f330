"""Sentences of ours in which a command stands between backticks."""

from pki.admin.display import with_code


def test_T05_a_command_is_shown_as_code_and_all_is_escaped():
    assert with_code("Run `manage.py deny <name>` & look.") == (
        "Run <code>manage.py deny &lt;name&gt;</code> &amp; look."
    )
    assert with_code("The audit trail is empty.") == "The audit trail is empty."
