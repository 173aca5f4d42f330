"""The flash start for real: a sample configuration, Zappa, two functions that run what was
uploaded, PostgreSQL, and an account that moto plays.
"""

import base64
import json
import re

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
    pkcs7,
)

from estserver.config import load_config
from estserver.deploy.costs import prices
from estserver.deploy.costs.estimate import idle_month, secret_names
from estserver.deploy.deployment import Deployment
from estserver.deploy.lambda_signers import for_lambda
from tests.estserver.deploy import moto_lambda
from tests.estserver.deploy.account import ACCOUNT, DOMAIN, REGION
from tests.estserver.deploy.cloud import ADMIN, ADMIN_DOMAIN, EST, prepared_cloud
from tests.estserver.deploy.devices import attached_to, enroll_event, held_certificate, issued
from tests.estserver.deploy.iam.cloud_calls import judged_calls
from tests.estserver.deploy.iam.judging import refused, unused_statements
from tests.estserver.deploy.packages import ROOT
from tests.estserver.deploy.rights.test_deployer import action_of
from tests.support.builders import make_ca, make_certificate, make_csr
from tests.support.est_client import ESTClient
from tests.support.postgresql import private_server

pytestmark = pytest.mark.deploy

NEEDED_ELSEWHERE = {
    EST: {"BeCalled": "API Gateway calls", "WriteLogs": "Lambda writes what the function prints"},
    ADMIN: {
        "BeCalled": "EventBridge and API Gateway call",
        "WriteLogs": "Lambda writes what the function prints",
        "GroupThings": "only for a template with thing groups: tests/iotprov/provisioning",
        "KeepThings": "only for things that AWS IoT has already: tests/iotprov/provisioning",
        "ListByCA": "only for a CA that is distrusted: tests/iotprov/provisioning",
        "ListTruststore": "only for a truststore that is pushed: test_aws_truststore",
    },
}
"""Statements of the functions that no call of these tests needs, each with its reason."""
CHECKED_SERVICES = ("iam", "iot", "kms", "s3", "secretsmanager")
HEADS = f"est-server-audit-{ACCOUNT}-{REGION}"
POLICY, TEMPLATE = "est_iot_policy_default", "est_iot_provisioning_template"


@pytest.fixture(scope="module")
def cloud(moto_server, tmp_path_factory):
    """Both stages deployed into an account that was empty; what was printed is in ``printed``."""
    directory = tmp_path_factory.mktemp("cloud")
    with (
        private_server() as server,
        prepared_cloud(moto_server, directory, database_url=server.url()) as cloud,
    ):
        yield cloud


@pytest.fixture(scope="module")
def before(cloud):
    """What the account held."""
    return cloud.held()


@pytest.fixture(scope="module")
def printed(cloud, before):
    """What the two deployments said."""
    return {stage: cloud.run("zappa", "deploy", stage) for stage in ("admin", "est")}


@pytest.fixture(scope="module")
def client(cloud, printed):
    """An EST client with the first client's certificate."""
    return cloud.first_client


@pytest.fixture(scope="module")
def device_ca(cloud, printed):
    """The device CA's certificate, where the CDK sample kept it."""
    return x509.load_pem_x509_certificate(cloud.secret("estIotCoreCaSecretCert4").encode())


# Deploying


def test_one_command_for_each_stage_deploys_from_a_sample(printed):
    assert "the CAs' keys are in Secrets Manager" in printed["admin"]
    for line in (
        *("migrate --no-input", "bootstrap_cas"),
        *("sync_policy", "sync_template", "register_ca"),
    ):
        assert f"in the admin's function: {line}" in printed["admin"]
    assert "What is missing: the stage for devices. Run zappa deploy est." in printed["admin"]
    assert "What is missing" not in printed["est"]


def test_the_account_holds_what_the_bill_counts(cloud, printed):
    environ = {"EST_DATA_DIR": "var", "DATABASE_URL": cloud.database_url}
    config = load_config(cloud.directory / "config.yaml", environ=environ)
    deployment = Deployment(for_lambda(config), ACCOUNT, REGION)
    bill = {item.price: item.count for item in idle_month(deployment)}

    held = cloud.held()

    assert sorted(held["secrets"]) == secret_names(deployment)
    assert len(held["alarms"]) == bill[prices.ALARM]
    assert len(held["dashboards"]) == bill[prices.DASHBOARD]
    assert len([alias for alias in held["aliases"] if "est" in alias]) == bill[prices.KEY]


def test_the_truststore_holds_the_cas_of_the_functions_database(cloud, printed, client, device_ca):
    (bucket,) = (
        each["Name"]
        for each in cloud.client("s3").list_buckets()["Buckets"]
        if "truststore" in each["Name"]
    )
    held = cloud.client("s3").get_object(Bucket=bucket, Key="truststore.pem")["Body"].read()
    trusted = x509.load_pem_x509_certificates(held)

    assert device_ca in trusted
    assert client.certificate.issuer in {each.subject for each in trusted}
    domain = cloud.client("apigateway").get_domain_name(domainName=DOMAIN)
    assert domain["mutualTlsAuthentication"]["truststoreVersion"]


def test_aws_iot_makes_devices_of_the_device_cas_certificates_by_the_template(
    cloud, printed, device_ca
):
    (certificate_id,) = re.findall(r"registered, ACTIVE, JITP by .*, id (\w+)", printed["admin"])
    held = cloud.client("iot").describe_ca_certificate(certificateId=certificate_id)
    template = cloud.client("iot").describe_provisioning_template(
        templateName=held["registrationConfig"]["templateName"]
    )
    role = cloud.client("iam").get_role(RoleName=template["provisioningRoleArn"].split("/")[-1])

    ca = held["certificateDescription"]
    assert ca["autoRegistrationStatus"] == "ENABLE"
    assert x509.load_pem_x509_certificate(ca["certificatePem"].encode()) == device_ca
    assert (template["type"], template["enabled"]) == ("JITP", True)
    resources = json.loads(template["templateBody"])["Resources"]
    assert resources["policy"]["Properties"]["PolicyName"] == POLICY
    trusted = role["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert trusted == {"Service": "iot.amazonaws.com"}


def test_no_secret_is_printed(cloud, printed):
    password = cloud.database_url.split(":")[2].partition("@")[0]
    key = cloud.secret("est/secret-key")

    text = "".join(printed.values())
    assert password not in text
    assert key not in text
    assert "PRIVATE KEY" not in text


# Enrolling


@pytest.mark.parametrize("is_base64", [True, False], ids=["base64", "text"])
def test_an_enrollment_comes_back_byte_exact_and_verifies(cloud, client, device_ca, is_base64):
    name = f"sensor-{is_base64}"

    status, headers, data = cloud.ask(enroll_event(client, name, is_base64=is_base64))

    assert status == 200, data
    assert headers["content-type"].startswith("application/pkcs7-mime")
    certificate = issued(data)
    certificate.verify_directly_issued_by(device_ca)
    with psycopg.connect(cloud.database_url) as connection:
        (on_record,) = connection.execute(
            "SELECT der FROM pki_issuedcertificate WHERE common_name = %s", [name]
        ).fetchone()
    assert certificate.public_bytes(Encoding.DER) == bytes(on_record)


def test_a_device_renews_with_its_own_certificate(cloud, client, device_ca):
    _, _, data = cloud.ask(enroll_event(client, "renewing"))
    device = client.using(issued(data))

    status, _, data = cloud.ask(enroll_event(device, "renewing", operation="simplereenroll"))

    assert status == 200, data
    issued(data).verify_directly_issued_by(device_ca)


def test_another_client_is_signed_in_the_function_and_enrolls(cloud, client):
    csr = x509.load_der_x509_csr(make_csr("second-client")).public_bytes(Encoding.PEM).decode()

    signed = cloud.run("manage.py", "aws_run", "sign_client_csr", csr)

    second = client.using(x509.load_pem_x509_certificate(signed.encode()))
    assert second.certificate.issuer == client.certificate.issuer
    assert cloud.ask(enroll_event(second, "of-the-second"))[0] == 200


def test_cacerts_gives_the_device_ca(cloud, client, device_ca):
    status, _, data = cloud.ask(client.event("GET", client.url("cacerts")))

    assert status == 200
    assert device_ca in pkcs7.load_der_pkcs7_certificates(base64.b64decode(data))


def test_with_jitp_aws_iot_learns_of_a_device_when_that_connects(cloud, client):
    status, _, _ = cloud.ask(enroll_event(client, "waiting"))
    cloud.run_schedule("every_minute")

    assert status == 200
    assert cloud.client("iot").list_certificates()["certificates"] == []
    assert cloud.client("iot").list_things()["things"] == []


@pytest.mark.parametrize("case", ["nobody", "forged headers", "stranger's CA", "wrong domain"])
def test_T01_whoever_the_gateway_doesnt_vouch_for_gets_no_certificate(cloud, client, case):
    pem = client.certificate.public_bytes(Encoding.PEM).decode()
    forged = {"X-Client-Cert": pem, "X-Amzn-Mtls-Clientcert": pem, "Ssl-Client-Cert": pem}
    caller, refused = {
        "nobody": (ESTClient(), 401),
        "forged headers": (ESTClient(headers=forged), 401),
        "stranger's CA": (client.using(make_certificate(make_ca("other"), "stranger")), 403),
        "wrong domain": (ESTClient(client.certificate, domain="a1.execute-api.amazonaws.com"), 0),
    }[case]

    status, _, data = cloud.ask(enroll_event(caller, "forged"))

    assert status == refused or (not refused and 400 <= status < 500), data
    with psycopg.connect(cloud.database_url) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM pki_issuedcertificate WHERE common_name = 'forged'"
        ).fetchone()
    assert count == 0


def test_people_get_their_pages_and_no_est(cloud, printed):
    visitor = ESTClient(domain=ADMIN_DOMAIN)

    status, _, data = cloud.ask(visitor.event("GET", "/admin/login/"), ADMIN)

    assert status == 200
    assert b"Log in" in data
    assert cloud.ask(visitor.event("GET", visitor.url("cacerts")), ADMIN)[0] in (302, 404)


def test_T03_the_functions_run_nothing_that_an_event_brings(cloud, printed):
    for event in ({"raw_command": "print(1)"}, {"manage": "migrate"}, {"est_command": ["shell"]}):
        answer, is_failure = cloud.invoke(ADMIN, event)
        assert is_failure
        assert answer["errorType"] == "EventRefused"


# Afterwards, in this order


def test_a_second_run_changes_nothing(cloud, client):
    assert cloud.run("manage.py", "aws_deploy").endswith("nothing had to be changed\n")


@pytest.fixture(scope="module")
def updated(cloud, client):
    """What the two updates said, after somebody has changed the configuration: devices are
    registered when they enroll, and things get another attribute.
    """
    template = json.loads((ROOT / "config" / "iot_template_with_serial_number.json").read_text())
    template["Resources"]["thing"]["Properties"]["AttributePayload"]["version"] = "v2"
    file = cloud.directory / "template.json"
    file.write_text(json.dumps(template))
    cloud.configure(iotTemplatePath=str(file), iotProvisioning="register")
    return {stage: cloud.run("zappa", "update", stage) for stage in ("admin", "est")}


def test_an_update_migrates_and_what_was_changed_takes_effect_in_the_function(cloud, updated):
    assert "in the admin's function: migrate --no-input" in updated["admin"]
    assert "No migrations to apply." in updated["admin"]
    assert f"{TEMPLATE} was changed (version 2)" in updated["admin"]
    held = cloud.client("iot").describe_provisioning_template(templateName=TEMPLATE)
    thing = json.loads(held["templateBody"])["Resources"]["thing"]
    assert thing["Properties"]["AttributePayload"]["version"] == "v2"


def test_an_update_is_locked_down_again_and_all_is_ok(cloud, client, updated):
    rows = json.loads(cloud.run("manage.py", "aws_status", "--json"))

    # The sample names no networks of people, and nobody who is told of alarms.
    warned = sorted(row["name"] for row in rows if row["level"] != "OK")
    assert warned == ["admin: lockdown", "topic for alarms"]
    assert cloud.ask(enroll_event(client, "after-update"))[0] == 200


@pytest.fixture(scope="module")
def registered(cloud, client, updated):
    """A certificate of a profile that registers, when the outbox has had its minute."""
    reason = ("--reason", "devices needn't connect twice")
    cloud.run(
        "manage.py", "aws_run", "profile_set", "default", "iot_provisioning=register", *reason
    )
    status, _, data = cloud.ask(enroll_event(client, "pump-1"))
    assert status == 200, data
    cloud.run_schedule("every_minute")
    return issued(data)


def test_what_enrolls_to_be_registered_is_a_thing_in_aws_iot(cloud, registered):
    thing = cloud.client("iot").describe_thing(thingName="pump-1")
    certificate = held_certificate(cloud, registered)

    assert thing["attributes"] == {"version": "v2", "serialNumber": "SN-pump-1"}
    assert certificate["status"] == "ACTIVE"
    assert attached_to(cloud, certificate) == ([POLICY], ["pump-1"])


def test_a_renewed_device_has_its_thing_and_policy_again(cloud, client, registered):
    device = client.using(registered)

    _, _, data = cloud.ask(enroll_event(device, "pump-1", operation="simplereenroll"))
    cloud.run_schedule("every_minute")

    renewed = held_certificate(cloud, issued(data))
    assert renewed["status"] == held_certificate(cloud, registered)["status"] == "ACTIVE"
    assert attached_to(cloud, renewed) == ([POLICY], ["pump-1"])


def test_zappas_schedule_tells_aws_iot_of_a_revocation(cloud, registered):
    serial = f"{registered.serial_number:x}"
    why = ("--reason", "keyCompromise")
    assert "revoked" in cloud.run("manage.py", "aws_run", "revoke", serial, *why)
    assert held_certificate(cloud, registered)["status"] == "ACTIVE"

    cloud.run_schedule("every_minute")

    certificate = held_certificate(cloud, registered)
    assert certificate["status"] == "REVOKED"
    assert attached_to(cloud, certificate) == ([], [])


def test_after_a_rollover_the_device_side_signs_with_the_successors_key(cloud, client, registered):
    """The successor's key is a secret whose name no configuration holds."""
    before = set(cloud.held()["secrets"])
    said = cloud.run("manage.py", "aws_run", "ca_successor", "device-ca", "--reason", "yearly")
    assert said.startswith("device-ca-2 issues from now on, until ")
    [secret] = set(cloud.held()["secrets"]) - before
    assert secret.startswith("estIotCoreCaSecretKey4/device-ca-2-")
    cloud.run("manage.py", "aws_run", "register_ca")

    status, _, data = cloud.ask(enroll_event(client, "pump-3"))
    assert status == 200, data
    cloud.run_schedule("every_minute")

    key = load_pem_private_key(
        json.loads(cloud.secret(secret))["key"].encode(), password=None
    ).public_key()
    _, _, published = cloud.ask(client.event("GET", client.url("cacerts")))
    cas = pkcs7.load_der_pkcs7_certificates(base64.b64decode(published))
    successor, *_ = [ca for ca in cas if ca.public_key() == key]
    issued(data).verify_directly_issued_by(successor)
    assert held_certificate(cloud, issued(data))["status"] == "ACTIVE"


def test_T48_zappas_schedule_locks_the_heads_of_the_audit_trail(cloud):
    cloud.run_schedule("every_hour")

    held = cloud.client("s3").list_object_versions(Bucket=HEADS)["Versions"]
    key = {"Bucket": HEADS, "Key": held[0]["Key"]}
    assert cloud.client("s3").head_object(**key)["ObjectLockMode"] == "GOVERNANCE"
    text = cloud.client("s3").get_object(**key)["Body"].read().decode()
    assert "it has all that 1 report" in cloud.run(
        "manage.py", "aws_run", "audit_verify", "--heads", text
    )


def test_T25_the_functions_ask_nothing_of_aws_that_their_roles_dont_allow(cloud, client):
    for function in (EST, ADMIN):
        asked = {
            action_of(call)
            for call in moto_lambda.calls[moto_lambda.access_key(function)]
            if call.partition(":")[0] in CHECKED_SERVICES
        }
        assert "secretsmanager:GetSecretValue" in asked
        assert asked - cloud.rights(function) == set()


def test_what_was_made_is_listed_and_goes_and_nothing_else(cloud, before, client, registered):
    _, _, data = cloud.ask(enroll_event(client, "pump-2"))
    cloud.run_schedule("every_minute")
    deployed = cloud.held()

    planned = cloud.run("manage.py", "aws_destroy", "--plan")
    with_iot = cloud.run("manage.py", "aws_destroy", "--plan", "--with-iot")
    assert "cloudformation:DeleteStack" in planned
    assert "iot:" not in planned
    for operation in (
        *("DeleteCACertificate", "DeleteProvisioningTemplate"),
        *("DetachPolicy", "DeletePolicy"),
    ):
        assert f"iot:{operation}" in with_iot
    assert cloud.held() == deployed != before

    cloud.run("manage.py", "aws_destroy", "--yes", "--with-iot", "--bucket", HEADS)
    assert cloud.held() == before
    # Devices stay what they were, but for the policy that is gone.
    pump = held_certificate(cloud, issued(data))
    assert pump["status"] == "ACTIVE"
    assert attached_to(cloud, pump) == ([], ["pump-2"])


@pytest.fixture(scope="module")
def judged(cloud):
    """What IAM is asked about every call since the account was empty."""
    return judged_calls(cloud)


def test_T63_iam_allows_every_call_from_the_first_deployment_to_the_removal(judged):
    assert {each.principal.rpartition("/")[2] for each in judged} >= {"deployer", "remover"}
    assert refused(judged) == []


@pytest.mark.parametrize("function", [EST, ADMIN])
def test_T63_statements_of_a_function_that_no_call_needed_are_reviewed(judged, function):
    calls = [each for each in judged if f"/{function}-" in each.principal]

    assert unused_statements(calls, calls[-1].policies) == {*NEEDED_ELSEWHERE[function]}
