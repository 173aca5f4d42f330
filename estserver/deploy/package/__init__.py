"""The packages that Lambda runs: built, configured, tried and zipped."""
