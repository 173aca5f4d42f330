"""What Zappa doesn't do: domains, truststore, lockdown, roles, WAF, logs, alarms.

Each thing is a `Step` (see ``steps``), which says what AWS holds, which calls would bring that to
what we want, and which would take it away. Deploying, dry runs, ``aws_status`` and ``aws_destroy``
are four ways to read the same steps. No request ever imports this package.
"""
