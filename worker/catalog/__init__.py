"""Categories and product search."""
