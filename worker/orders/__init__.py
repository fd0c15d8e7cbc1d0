"""Orders and what the shop and its customers are told of them."""
