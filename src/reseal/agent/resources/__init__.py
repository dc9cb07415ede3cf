"""The types of resources that a run applies, one module for each."""
