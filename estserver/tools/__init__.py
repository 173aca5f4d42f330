"""Tools for operators: inspect, dry run, test enrollment and doctor, as services without pages."""
