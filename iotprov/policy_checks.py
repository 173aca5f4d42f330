"""What is wrong with an IoT policy."""

from iotprov.located_json import Problem


def policy_problems(body: str) -> list[Problem]:
    """Everything that is wrong with the policy."""
    return []
