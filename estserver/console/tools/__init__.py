"""The pages of the tools: inspect, dry run, test enrollment, doctor."""
