"""Shared by black-box tests, benchmark and demo, which start programs and read metrics."""
