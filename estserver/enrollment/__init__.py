"""An enrollment, free of HTTP: hook before, issue, provision, hook after."""
