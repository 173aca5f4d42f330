"""What AWS's services learn of late is waited for: as long as the table says, and said."""

import pytest

from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.performer import LISTED_SECONDS, Performer
from estserver.deploy.engine.runs import StepFailed, carry_out
from estserver.deploy.engine.slow_spread import IN_A_FUNCTION, SLOW_SPREADS, slow_spread
from estserver.deploy.resources.secrets_kms_key import SecretsKey
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError, RemoteFailure, remote_failure

ROLE = "The role defined for the function cannot be assumed by Lambda."
PERMISSIONS = "The role ARN does not have required permissions configured."
NEW_KEY = ("kms:CreateKey",)


def refusal(call, code, message="no"):
    return RemoteFailure(call, code, message, "Ask for the right.")


def in_a_function(message):
    """A command in the admin's function that AWS refused, as `run_in_function` reports it."""
    error = OperatorError(f"bootstrap_cas ended with exit code 3: {message}.")
    error.__cause__ = refusal("bootstrap_cas", IN_A_FUNCTION, message)
    return error


def kinds():
    """Return an error of each kind, the calls before it, and the bound in seconds."""
    return [
        (refusal("lambda:CreateFunction", "InvalidParameterValueException", ROLE), (), 120),
        (refusal("apigateway:UpdateAccount", "BadRequestException", PERMISSIONS), (), 120),
        (in_a_function("secretsmanager:CreateSecret failed with AccessDeniedException"), (), 60),
        (refusal("kms:CreateAlias", "AccessDeniedException"), NEW_KEY, 300),
        (refusal("kms:DescribeKey", "AccessDeniedException"), NEW_KEY, 300),
        (refusal("kms:EnableKeyRotation", "NotFoundException"), NEW_KEY, 300),
        (
            refusal(
                "secretsmanager:CreateSecret",
                "AccessDeniedException",
                "Access to KMS is not allowed",
            ),
            (),
            300,
        ),
        (refusal("wafv2:AssociateWebACL", "WAFUnavailableEntityException"), (), 60),
    ]


def each_kind():
    """Parametrize a test with fresh errors, because a wait changes their text."""
    return pytest.mark.parametrize(
        ("error", "performed", "seconds"),
        kinds(),
        ids=[f"{c.call}-{c.code}" for c in (remote_failure(kind[0]) for kind in kinds())],
    )


class Attempt:
    """What fails some times before it works."""

    def __init__(self, error, times):
        self.error, self.times, self.made = error, times, 0

    def __call__(self):
        self.made += 1
        if self.made <= self.times:
            raise self.error
        return "done"


@pytest.fixture
def performer_after(said, clock):
    """A performer that has carried out these calls."""

    def after(performed):
        performer = Performer(said, clock)
        performer._answers = {call: {} for call in performed}
        return performer

    return after


@each_kind()
def test_each_kind_is_waited_for_and_said(performer_after, clock, said, error, performed, seconds):
    attempt = Attempt(error, 3)

    assert performer_after(performed).patiently(attempt) == "done"

    assert clock.slept == [5, 5, 5]
    cause = remote_failure(error)
    why = slow_spread(cause, performed).why
    assert said.lines[0] == f"  waiting 5 s: {cause.call} answered {cause.code}, and {why}"


@each_kind()
def test_each_kind_is_waited_for_no_longer_than_its_bound_and_the_message_says_what(
    performer_after, clock, error, performed, seconds
):
    text = str(error).rstrip(".")
    with pytest.raises(OperatorError) as refused:
        performer_after(performed).patiently(Attempt(error, 1000))

    assert clock.time == seconds
    why = slow_spread(remote_failure(error), performed).why
    assert f"This command has waited {seconds} s, because at first {why}." in str(refused.value)
    assert str(refused.value).startswith(text)
    assert remote_failure(refused.value).code == remote_failure(error).code
    assert remote_failure(refused.value).call == remote_failure(error).call


@pytest.mark.parametrize(
    "error",
    [
        refusal("kms:CreateAlias", "AccessDeniedException"),  # no key was made in this run
        refusal("iam:CreateRole", "AccessDenied"),
        refusal("secretsmanager:CreateSecret", "AccessDeniedException"),
        refusal("lambda:CreateFunction", "InvalidParameterValueException", "no such runtime"),
        in_a_function("iot:CreatePolicy failed with MalformedPolicyException"),
        OperatorError("There is no client CA."),
    ],
    ids=str,
)
def test_a_refusal_that_lasts_is_raised_at_once(performer_after, clock, error):
    with pytest.raises(OperatorError) as refused:
        performer_after(()).patiently(Attempt(error, 1000))

    assert refused.value is error
    assert clock.slept == []


def test_a_refusal_of_another_service_is_not_explained_by_a_new_key(performer_after, clock):
    with pytest.raises(RemoteFailure):
        performer_after(NEW_KEY).patiently(Attempt(refusal("iam:TagRole", "AccessDenied"), 9))

    assert clock.slept == []


def test_the_advice_of_a_step_is_given_after_a_wait_too(deployment, performer, monkeypatch):
    error = refusal("kms:DescribeKey", "AccessDeniedException")
    monkeypatch.setattr(SecretsKey, "advice", {"AccessDeniedException": "Ask the owner."})
    performer.perform(Call("kms", "CreateKey", "a test"))
    monkeypatch.setattr(SecretsKey, "look", Attempt(error, 1000))

    with pytest.raises(StepFailed) as refused:
        carry_out([SecretsKey(deployment)], performer)

    assert "Ask the owner." in str(refused.value)
    assert "This command has waited 300 s" in str(refused.value)


def test_a_new_key_is_made_once_though_kms_knows_its_alias_late(
    deployment, performer, clock, monkeypatch
):
    look, looks = SecretsKey.look, []

    def late(self):
        looks.append(clock.time)
        seen = look(self)
        return type(seen)() if 0 < clock.time < 20 or len(looks) < 3 else seen

    monkeypatch.setattr(SecretsKey, "look", late)

    carry_out([SecretsKey(deployment)], performer)

    assert clock.slept == [5, 5, 5, 5]
    keys = aws_client("kms").list_keys()["Keys"]
    assert len(keys) == 1


def test_what_aws_never_lists_is_waited_for_five_minutes(performer, clock):
    with pytest.raises(OperatorError, match=r"KMS is silent, although 5 minutes have passed\."):
        performer.wait_until(lambda: False, "KMS is silent")

    assert clock.time == LISTED_SECONDS


def test_every_row_of_the_table_is_met_by_a_kind_above():
    explained = {slow_spread(remote_failure(error), performed) for error, performed, _ in kinds()}

    assert explained == {*SLOW_SPREADS}
