"""Grids and measurements: rows out."""
