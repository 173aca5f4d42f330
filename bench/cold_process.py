"""A function's cold start: import and first request, in a process that has done nothing before.

    python -I -S -B cold_process.py DIRECTORY MODULE EVENT

DIRECTORY is an unpacked package, MODULE its entry point, EVENT a file. Prints, as JSON, the CPU
that both took in milliseconds, the answer's status, and the modules that were loaded. Imports
nothing of the project's: whatever it needs itself, Lambda's own runtime has loaded too.
"""

import base64
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Start, answer, tell."""
    directory, module, event_file = sys.argv[1:]
    event = json.loads(Path(event_file).read_text())
    before = set(sys.modules)
    sys.path.insert(0, directory)
    started = time.process_time()
    handler = import_module(module).handler
    imported = time.process_time()
    answer = handler(event, None)
    answered = time.process_time()
    print(
        json.dumps(
            {
                "import_ms": (imported - started) * 1000,
                "request_ms": (answered - imported) * 1000,
                "status": int(answer["statusCode"]),
                "body": _text(answer),
                "modules": sorted(set(sys.modules) - before),
            }
        )
    )


def _text(answer: dict[str, Any]) -> str:
    body = str(answer.get("body") or "")
    return base64.b64decode(body).decode() if answer.get("isBase64Encoded") else body


if __name__ == "__main__":
    main()
