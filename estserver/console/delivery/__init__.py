"""What is sent until it is taken: post hooks that are to be repeated, webhooks, their messages."""
