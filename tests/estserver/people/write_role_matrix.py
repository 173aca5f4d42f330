"""Write docs/roles.md: ``python -m tests.estserver.people.write_role_matrix``."""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["EST_WRITE_ROLE_MATRIX"] = "1"
    own = Path(__file__)
    walks = (own.with_name("test_matrix.py"), own.parents[1] / "api" / "test_role_matrix.py")
    sys.exit(pytest.main([*map(str, walks), "-q", "-x"]))
