"""The functions of unpacked packages, each in a process of its own: what they answer."""

import json
import secrets
from pathlib import Path

from bench import cold_process
from bench.in_process import event
from tests.estserver.deploy.packages import DOMAIN


def first_answer(package, installation, directory, operation, body=None):
    """What a fresh ``est`` answers to its first request, on an installation's data directory."""
    event_file = directory / "event.json"
    client = installation.test_client[0].read_text()
    event_file.write_text(json.dumps(event(f"/.well-known/est/{operation}", client, body)))
    printed = package.run(
        cold_process.__file__,
        *(package.root, "estserver.lambda_est", event_file),
        environ=_environ(installation.data_dir),
    )
    return json.loads(printed.splitlines()[-1])


def est_answers(package, installation, directory, events):
    """What one ``est`` answers to a series of events, on an installation's data directory."""
    return _answers(package, "est", directory, installation.data_dir, events)


def admin_answers(package, directory, events):
    """What one ``admin`` answers to a series of events, on the database in ``directory``."""
    return _answers(package, "admin", directory, directory, events)


def _answers(package, stage, directory, data_dir, events):
    events_file = directory / "events.json"
    events_file.write_text(json.dumps(events))
    printed = package.run(
        Path(__file__).with_name("function_process.py"),
        *(package.root, f"estserver.lambda_{stage}.handler", events_file),
        environ=_environ(data_dir),
    )
    lines = [line.partition(" ")[2] for line in printed.splitlines() if line.startswith("answer ")]
    return [json.loads(line) for line in lines]


def get(path):
    """A REST API event, as API Gateway sends it to ``admin``."""
    headers = {"Host": DOMAIN, "X-Forwarded-For": "192.0.2.1, 192.0.2.2"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"apiId": "a1b2c3", "domainName": DOMAIN, "identity": {}},
        "body": None,
        "isBase64Encoded": False,
    }


def _environ(data_dir):
    return {
        "EST_DATA_DIR": str(data_dir),
        "DATABASE_URL": f"sqlite:///{data_dir}/est.sqlite3",
        "EST_SECRET_KEY": secrets.token_urlsafe(64),
    }
