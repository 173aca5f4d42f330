"""A function in a process of its own: answers a list of events, a JSON line each.

python -I -S -B function_process.py DIRECTORY HANDLER EVENTS
"""

import json
import sys
from importlib import import_module
from pathlib import Path

directory, handler_path, events_file = sys.argv[1:]
sys.path.insert(0, directory)
try:
    module, _, name = handler_path.rpartition(".")
    handler = getattr(import_module(module), name)
except Exception as error:  # noqa: BLE001 - as Lambda's own runtime does
    broken = error

    def handler(event, context):
        raise broken


for event in json.loads(Path(events_file).read_text()):
    try:
        answer = handler(event, None)
    except Exception as error:  # noqa: BLE001 - as Lambda's own runtime does
        answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
    print("answer", json.dumps(answer))  # noqa: T201 - what the test reads
