"""Services that keep copies of a node's certificates: what they are, as data."""
