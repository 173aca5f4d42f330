"""What stands in front of the functions: domains, DNS, lockdown, WAF, settings of the APIs."""
