"""What `stream` and `iterate` are made of, one part a module."""
