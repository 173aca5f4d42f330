"""Record what a process asks of AWS through boto3: a JSON line for each call.

``start`` is called in this process; the processes of `zappa` and `manage.py` start it through
``sitecustomize``, and a function's process by the path of this file. So it imports nothing of ours,
and botocore only when the process itself does.
"""

import importlib.abc
import importlib.util
import json
import os
import sys
from pathlib import Path

FILE, PRINCIPAL = "RECORD_AWS_CALLS_TO", "RECORD_AWS_CALLS_AS"
ANSWERED = {
    "kms:CreateKey": "KeyMetadata",
    "apigateway:CreateRestApi": "id",
    "dsql:CreateCluster": "arn",
    "backup:CreateBackupPlan": "BackupPlanArn",
}
"""What of an answer is kept: ids that no parameter of a later call explains."""


def start():
    """Record from now on, if the environment names a file."""
    if not os.environ.get(FILE):
        return
    if "botocore.client" in sys.modules:
        wrap(sys.modules["botocore.client"].BaseClient)
    else:
        sys.meta_path.insert(0, _Watcher())


class _Watcher(importlib.abc.MetaPathFinder):
    """Waits until botocore's clients are imported."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "botocore.client":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            wrap(module.BaseClient)

        spec.loader.exec_module = exec_module
        return spec


def wrap(client_class):
    """Let each call of clients leave its line. Returns what undoes that."""
    original = client_class._make_api_call

    def recorded(self, operation_name, api_params):
        answer = None
        try:
            answer = original(self, operation_name, api_params)
        finally:
            _write(self.meta, operation_name, api_params, answer)
        return answer

    client_class._make_api_call = recorded

    def undo():
        client_class._make_api_call = original

    return undo


def _write(meta, operation, parameters, answer):
    if FILE not in os.environ:
        return
    service = meta.service_model.service_name
    kept = ANSWERED.get(f"{service}:{operation}")
    line = {
        "principal": os.environ.get(PRINCIPAL) or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "service": service,
        "operation": operation,
        "region": meta.region_name,
        "parameters": parameters,
        "answer": answer.get(kept) if answer and kept else None,
        "succeeded": answer is not None,
    }
    data = json.dumps(line, default=lambda value: f"<{type(value).__name__}>") + "\n"
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
        file.write(data)
