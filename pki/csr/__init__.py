"""Is this CSR acceptable? Its key, its subject and its alternative names (PKCS #10, RFC 2986)."""
