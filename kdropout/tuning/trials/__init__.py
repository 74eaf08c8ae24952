"""Trials on models that are compiled once."""
