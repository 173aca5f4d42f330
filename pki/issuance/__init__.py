"""Issue certificates: client authentication, name rules, intent, signature, record."""
