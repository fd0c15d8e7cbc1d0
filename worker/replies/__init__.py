"""From a customer's words and a model's answer to what is said and done."""
