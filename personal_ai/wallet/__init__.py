"""Money: what is there, where it came from, and payments that are never made twice."""
