"""The service managers of a node, as Puppet drives them."""
