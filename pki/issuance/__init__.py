"""From an authenticated client and a checked CSR to a recorded certificate."""
