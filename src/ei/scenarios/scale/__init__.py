"""Scale: a thousand domains."""
