# A node terminus for `puppet catalog compile`: the site's own terminus, but what the
# node's certificate says is trusted, as it is when a node asks Puppet Server.
# trusted.json beside it holds certname, extensions and the name of the terminus.
require 'json'
require 'puppet/indirector/code'
require 'puppet/node'

class Puppet::Node::Reseal < Puppet::Indirector::Code
  desc 'The node terminus of the site, with the trusted facts of a certificate.'

  def find(request)
    told = JSON.parse(File.read(File.join(Puppet[:vardir], 'trusted.json')))
    trusted = Puppet::Context::TrustedInformation.new(
      'remote', told['certname'], told['extensions']
    )
    Puppet.push_context({ trusted_information: trusted }, 'what the certificate says')
    Puppet::Node.indirection.terminus(told['terminus'].to_sym).find(request)
  end
end
