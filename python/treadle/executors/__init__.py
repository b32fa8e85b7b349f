"""Executors, one a module."""
