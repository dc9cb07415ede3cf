"""What a run of `reseal site` does on a node that has reseal and no Puppet."""
