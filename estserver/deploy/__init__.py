"""What Zappa does not do: domains, truststore, lockdown, roles, WAF, logs, alarms.

Each resource is a `Step` (see ``engine.steps``). It reads what AWS holds, and plans the calls that
bring that to the desired state or take the resource away. Deploying, dry runs, ``aws_status`` and
``aws_destroy`` are four ways to read the same steps, which ``recipe`` lists. No request ever
imports this package.
"""
