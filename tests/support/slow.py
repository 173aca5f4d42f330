"""Which tests are slow: `make quick` leaves them out, and workers start a whole run with them."""

SLOW = (
    "tests/estserver/deploy/test_end_to_end.py",  # one unit of five minutes
    "tests/test_on_postgresql.py",
    "tests/test_on_dsql.py",
    "tests/test_round_trips.py",
    "tests/estserver/deploy/",
    "tests/estserver/dsql/",
    "tests/iotprov/provisioning/",
    "tests/interop/",
    "tests/estserver/proof/",
    "tests/pki/state/",
    "tests/test_bench.py",
    "tests/test_bench_peer.py",
    "tests/estserver/console/",
    "tests/estserver/api/",
    "tests/pki/authorities/",
    "tests/pki/signers/",
    "tests/iotprov/drift/",
    "tests/iotprov/admin/",
    "tests/iotprov/adoption/",
    "tests/iotprov/authorities/",
    "tests/iotprov/documents/",
    "tests/pki/management/",
    "tests/test_demo.py",
    "tests/test_container.py",
    "tests/cluster/",
    "tests/estserver/local_server/",
    "tests/estserver/est/test_kms.py",
    "tests/estserver/est/test_secretsmanager.py",
    "tests/pki/admin/test_search.py",
    "tests/pki/admin/test_fleet_lists.py",
    "tests/test_fleet_rows.py",
    "tests/pki/record/test_many_rows.py",
    "tests/estserver/test_checks.py",
    # These are about the repository, and not about what the server does.
    "tests/test_words.py",
    "tests/test_dotted_paths.py",
    "tests/support/test_aws_faults.py",
    "tests/support/dsql/",
)
"""Files and folders, in the order in which workers start them: what takes longest comes first."""


def is_slow(test_id: str) -> bool:
    """Return whether the test with this pytest id is in a slow file or folder."""
    return test_id.startswith(SLOW)


def place_in_line(test_id: str) -> int:
    """Return how early a test with this id starts in a whole run. A smaller number is earlier."""
    places = [place for place, path in enumerate(SLOW) if test_id.startswith(path)]
    return min(places, default=len(SLOW))
