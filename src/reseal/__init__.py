"""reseal: the certificate authority of a Puppet site, and its regeneration."""

__version__ = "0.1.0"
