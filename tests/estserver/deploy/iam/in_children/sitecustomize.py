"""Python imports this in each process whose PYTHONPATH names this directory."""

import importlib.util
from pathlib import Path

spec = importlib.util.spec_from_file_location("recorder", Path(__file__).parents[1] / "recorder.py")
recorder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recorder)
recorder.start()
