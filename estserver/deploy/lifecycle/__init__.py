"""What a person does with a deployment: deploy it, set it up, look at its state, roll it back."""
