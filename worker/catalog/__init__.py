"""Catalogue: products, price lists, categories and product search."""
