"""A primary server's side for the runs of nodes: catalogs, files, facts, reports."""
