"""What stands in front of the functions: domains, DNS, lockdown, WAF, API settings."""
