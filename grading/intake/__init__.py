"""What was handed in: read, repaired, and looked through for signs of tampering."""
