"""Where a webhook may lead, and how it is called."""

import socket

import pytest

from estserver.webhooks import addresses
from estserver.webhooks.addresses import AddressRefused, check_addresses, is_public
from estserver.webhooks.post import MOST_BYTES, NotTaken, check_url, origin, post
from pki.operators.errors import OperatorError

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
]
PUBLIC = ["8.8.8.8", "93.184.216.34", "2600:1f18::1", "2a00:1450::1", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_T32_no_webhook_leads_to_an_address_that_is_not_public(address):
    assert not is_public(address)
    with pytest.raises(AddressRefused, match="webhookAllowedHosts"):
        check_addresses("hooks.example.com", ["8.8.8.8", address])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address):
    assert is_public(address)
    check_addresses("hooks.example.com", [address])


def test_a_listed_host_may_have_any_address(allow_hosts):
    allow_hosts("Hooks.internal")

    check_addresses("hooks.INTERNAL.", ["10.0.0.1"])
    with pytest.raises(AddressRefused):
        check_addresses("hooks.internal.example", ["10.0.0.1"])


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://",
        "https://user@hooks.example.com/",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX: y",
        "https://hooks.exämple.com/",
        "https://[::1/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://hooks.example.com/" + "a" * 500,
    ],
)
def test_T32_other_addresses_than_https_are_refused(url):
    with pytest.raises(OperatorError, match="https://host/path"):
        check_url(url)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "[fd00:ec2::254]"])
def test_T32_an_address_that_is_not_public_is_refused_when_a_webhook_is_added(host, allow_hosts):
    allow_hosts()
    with pytest.raises(AddressRefused, match="webhookAllowedHosts"):
        check_url(f"https://{host}/hook")

    allow_hosts(host)
    check_url(f"https://{host}/hook")


def test_a_message_arrives_with_its_headers(receiver):
    post(receiver.url, b'{"a":1}', {"webhook-id": "msg_1"})

    ((path, headers, body),) = receiver.got
    assert path == "/hooks?key=of-the-receiver"
    assert headers["Host"] == f"localhost:{receiver.port}"
    assert headers["webhook-id"] == "msg_1"
    assert headers["Content-Type"] == "application/json"
    assert body == b'{"a":1}'
    assert origin(receiver.url) == f"https://localhost:{receiver.port}"


def test_T32_a_name_that_leads_here_is_refused_before_anything_is_sent(receiver, allow_hosts):
    allow_hosts()

    with pytest.raises(NotTaken, match="not a public one"):
        post(receiver.url, b"{}", {})

    assert receiver.got == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "[::1]"])
def test_T32_other_spellings_of_this_machine_are_refused(host, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", _never)

    with pytest.raises(NotTaken):
        post(f"https://{host}/", b"{}", {})


def test_T32_a_name_is_asked_for_once_and_what_was_checked_is_what_is_called(
    receiver, monkeypatch, allow_hosts
):
    """DNS rebinding: a second answer would lead to this machine, and is never asked for."""
    allow_hosts()
    asked, called = [], []
    answers = iter(["8.8.8.8", "127.0.0.1"])

    def resolve(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def create_connection(address, timeout):
        called.append(address[0])
        raise TimeoutError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(NotTaken):
        post("https://hooks.example.com/", b"{}", {})

    assert asked == ["hooks.example.com"]
    assert called == ["8.8.8.8"]


def test_T32_the_certificate_has_to_be_of_the_name(receiver, allow_hosts):
    allow_hosts("127.0.0.1")

    with pytest.raises(NotTaken, match="is not trusted"):
        post(f"https://127.0.0.1:{receiver.port}/", b"{}", {})


def test_T32_no_redirect_is_followed(receiver):
    receiver.status = 307
    receiver.headers = {"Location": f"https://localhost:{receiver.port}/other"}

    with pytest.raises(NotTaken, match="redirects are not followed"):
        post(receiver.url, b"{}", {})

    assert len(receiver.got) == 1


def test_T32_no_proxy_of_the_environment_is_used(receiver, monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    post(receiver.url, b"{}", {})

    assert len(receiver.got) == 1


def test_an_answer_without_an_end_is_not_read_to_its_end(receiver, monkeypatch):
    receiver.body = b"x" * (MOST_BYTES * 64)
    receiver.status = 200

    post(receiver.url, b"{}", {})  # returns

    assert len(receiver.got) == 1


@pytest.mark.parametrize(("status", "is_final"), [(400, False), (410, True), (500, False)])
def test_any_answer_but_2xx_is_a_failure_and_410_is_the_last(receiver, status, is_final):
    receiver.status = status
    receiver.body = b"<script>what a private page says</script>"

    with pytest.raises(NotTaken, match=str(status)) as failure:
        post(receiver.url, b"{}", {})

    assert failure.value.is_final is is_final
    assert "script" not in str(failure.value)


def _never(*_, **__):
    raise AssertionError("nothing may be called")


def test_ipv4_inside_of_ipv6_is_judged_as_what_it_is():
    assert addresses.is_public("::ffff:8.8.8.8")
