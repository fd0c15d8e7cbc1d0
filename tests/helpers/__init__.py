"""What tests share besides fixtures, one subject a file."""
