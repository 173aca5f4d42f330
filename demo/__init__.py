"""``make demo-aws``: the product with a simulated AWS account."""
