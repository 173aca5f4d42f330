"""Write docs/roles.md: ``python -m tests.estserver.people.write_role_matrix``."""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["EST_WRITE_ROLE_MATRIX"] = "1"
    sys.exit(pytest.main([str(Path(__file__).with_name("test_matrix.py")), "-q", "-x"]))
