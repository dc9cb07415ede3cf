"""Puppet's CA as a service: its HTTP API, without and with sockets."""
