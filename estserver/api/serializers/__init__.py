"""What the API takes and returns, as REST framework's serializers."""
