"""How a notice is sent: by e-mail, or to a topic of SNS."""

import os
import smtplib
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.views.decorators.debug import sensitive_variables

from estserver.models import Message
from pki.aws.clients import AWSLocation, as_remote_failure, aws_client
from pki.operators.errors import OperatorError

PASSWORD_VARIABLE: Final = "EST_SMTP_PASSWORD"  # noqa: S105  # the name of a variable


def channels() -> list[Message.Channel]:
    """Return the ways by which the configuration wants notices."""
    properties = settings.CONFIG.properties
    wanted = (
        (Message.Channel.EMAIL, properties.notice_emails),
        (Message.Channel.SNS, properties.notice_topic_arn),
    )
    return [channel for channel, receiver in wanted if receiver]


def send_mail(row: Message) -> None:
    """Send one mail to everyone in ``noticeEmails``. Raises ``OperatorError``."""
    receivers = list(settings.CONFIG.properties.notice_emails)
    if not receivers:
        raise OperatorError("noticeEmails names nobody any more. Name somebody, or leave it.")
    mail = EmailMessage(
        row.subject,
        row.body,
        to=receivers,
        headers={"Message-ID": f"<{row.pk.hex}@est-server>"},
        connection=get_connection(password=_password()),
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        raise OperatorError(
            f"The mail server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} did not take the "
            f"message: {type(error).__name__}. Look at the keys smtp... and at the log of that "
            "server."
        ) from error


@sensitive_variables()
def _password() -> str:
    """Return the password of the mail server, or "". Raises ``OperatorError``."""
    given = os.environ.get(PASSWORD_VARIABLE, "")
    name = settings.CONFIG.properties.smtp_password_secret_name
    if given or not name:
        return given
    from pki.aws.secrets import use_secret  # boto3 is loaded for it

    secret = use_secret(name)
    if secret is None:
        raise OperatorError(f"There is no secret {name} with the password of the mail server.")
    return secret.content.decode().strip()


def publish(row: Message) -> None:
    """Publish to ``noticeTopicArn``. Raises ``OperatorError``.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    arn = settings.CONFIG.properties.notice_topic_arn
    if not arn:
        raise OperatorError("noticeTopicArn names no topic any more. Name one, or leave it.")
    region = arn.split(":")[3]
    with as_remote_failure("sns:Publish"):
        aws_client("sns", AWSLocation(region)).publish(
            TopicArn=arn, Subject=row.subject[:100], Message=row.body
        )
