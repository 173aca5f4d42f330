"""Lambda as far as moto leaves it out: functions that run, and the list of their URLs.

moto runs functions in Docker. Here the zip that was uploaded is unpacked, and its handler called
in an isolated process with the function's environment (`warm_functions`). A zip without our
code stands for the admin's function, which then is this process, with this test's database.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections import defaultdict

from moto.awslambda import urls
from moto.awslambda.models import LambdaFunction, LambdaStorage
from moto.awslambda.responses import LambdaResponse
from moto.core.responses import BaseResponse

from tests.estserver.deploy import warm_functions

surroundings = {}
"""What real Lambda has and the function's own environment doesn't: where AWS is, credentials."""
calls = defaultdict(set)
"""What was asked of AWS, as `iot:CreateThing`, by access key; of most services (not S3)."""
_unpacked = {}
_call_action = BaseResponse.call_action
_original_update = LambdaFunction.update_configuration
_moto_permits = LambdaResponse.add_permission
_moto_publishes = LambdaStorage.publish_version


def _invoke_lambda(self, event=None):
    """Returns the answer, whether it is an error, and the log."""
    with zipfile.ZipFile(io.BytesIO(self.code_bytes)) as archive:
        is_ours = any(name.startswith("estserver/") for name in archive.namelist())
        root = _unpack(archive, self.code_bytes) if is_ours else None
    answer = _in_a_process(self, root, event) if root else _here(event)
    return json.dumps(answer), isinstance(answer, dict) and "errorType" in answer, ""


def access_key(function_name):
    """By which a function's calls are told from others'."""
    return f"AKIA{hashlib.sha256(function_name.encode()).hexdigest()[:16].upper()}"


def _unpack(archive, data):
    digest = hashlib.sha256(data).hexdigest()
    if digest not in _unpacked:
        _unpacked[digest] = tempfile.TemporaryDirectory(prefix="est-function-")
        archive.extractall(_unpacked[digest].name)
    return _unpacked[digest].name


def _in_a_process(function, root, event):
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "LAMBDA_TASK_ROOT": root,
        **surroundings,
        "AWS_ACCESS_KEY_ID": access_key(function.function_name),
        **function.environment_vars,
    }
    return warm_functions.answer(root, function.handler, environ, event)


def _here(event):
    from django.db import connections

    from estserver.functions.admin import COMMAND_KEY, run_command

    try:
        return run_command(event[COMMAND_KEY])
    finally:
        connections.close_all()  # those of the server's thread


def _update_configuration(self, updates):
    self.tracing_config = updates.get("TracingConfig", self.tracing_config)
    return _original_update(self, updates)


def _publish_version(self, name_or_arn, description=""):
    """moto counts the versions that are left, and would give the number of a deleted one again."""
    function = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
    before = [int(each.version) for each in self._functions[function.function_name]["versions"]]
    made = _moto_publishes(self, name_or_arn, description)
    if before and int(made.version) != before[-1]:
        made.set_version(max(before) + 1)
        self._arns[made.function_arn] = made
    return made


def _add_permission(self):
    """AWS answers 201, and Zappa reports every other number as an error."""
    return 201, {"status": 201}, _moto_permits(self)


def _list_function_url_configs(self):
    return json.dumps({"FunctionUrlConfigs": []})


executions = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
"""The account's quota, and what is left of it."""


def _get_account_settings(self):
    return json.dumps({"AccountLimit": executions, "AccountUsage": {}})


def _remember_call(self):
    calls[self.access_key].add(f"{self.service_name}:{self._get_action()}")
    return _call_action(self)


def fill():
    """Once per process, before the server starts."""
    BaseResponse.call_action = _remember_call
    LambdaFunction._invoke_lambda = _invoke_lambda
    LambdaStorage.publish_version = _publish_version
    LambdaResponse.add_permission = _add_permission
    LambdaResponse.list_function_url_configs = _list_function_url_configs
    LambdaFunction.update_configuration = _update_configuration
    LambdaResponse.get_account_settings = _get_account_settings
    urls.url_paths[r"{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponse.dispatch
    path = r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/urls/?$"
    urls.url_paths[path] = LambdaResponse.dispatch
