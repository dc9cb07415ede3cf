"""What runs on a node: its certificates, and its runs."""
