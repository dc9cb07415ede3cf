"""The command line: a thin reader of the library, and the only room that prints."""
