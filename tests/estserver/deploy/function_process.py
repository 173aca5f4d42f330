"""A function in a process of its own: answers events, a JSON line each.

python -I -S -B function_process.py DIRECTORY HANDLER [EVENTS]

The events are a JSON list in a file, or else a JSON line each on standard input.
"""

import importlib.util
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

directory, handler_path, *events_file = sys.argv[1:]
sys.path.insert(0, directory)
recorder_file = Path(__file__).with_name("iam") / "recorder.py"
spec = importlib.util.spec_from_file_location("recorder", recorder_file)
recorder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recorder)
recorder.start()
try:
    module, _, name = handler_path.rpartition(".")
    handler = getattr(import_module(module), name)
except Exception as error:  # noqa: BLE001 - as Lambda's own runtime does
    broken = error

    def handler(event, context):
        raise broken


region, name = (os.environ.get(f"AWS_{part}", "") for part in ("REGION", "LAMBDA_FUNCTION_NAME"))
context = SimpleNamespace(
    invoked_function_arn=f"arn:aws:lambda:{region}:123456789012:function:{name}"
)
events = json.loads(Path(*events_file).read_text()) if events_file else map(json.loads, sys.stdin)
for event in events:
    try:
        answer = handler(event, context)
    except Exception as error:  # noqa: BLE001 - as Lambda's own runtime does
        answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
    print("answer", json.dumps(answer), flush=True)  # noqa: T201 - what the test reads
