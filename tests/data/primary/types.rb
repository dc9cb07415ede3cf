# What `src/reseal/primary/types.json` is made of, on a node with Puppet:
#     ruby types.rb
require 'json'
require 'puppet'
Puppet.initialize_settings
Puppet::Type.loadall
types = {}
Puppet::Type.eachtype do |type|
  names = type.properties.map(&:name) + type.parameters
  types[type.name] = { key: type.key_attributes, parameters: names.map(&:to_s).uniq.sort }
end
puts JSON.dump(metaparameters: Puppet::Type.metaparams.sort, types: types)
