# Ask the running Puppet Server on this host to sign, with the host's certificate.
#
# Arguments: host, port, certificate, key, CA bundle, CRL bundle (paths) and, if it is
# not the host's name, the address to connect to.
# Standard input: a certname a line.  Prints, for each, status and body of the
# answer to `PUT /puppet-ca/v1/certificate_status/NAME`.  Each request has a
# connection of its own: over TLS 1.3 a kept one stalls for 30 seconds.
require 'json'
require 'net/https'
require 'openssl'
require 'uri'

def store(bundle, crls)
  store = OpenSSL::X509::Store.new
  pem = /-----BEGIN [^-]+-----.*?-----END [^-]+-----/m
  File.read(bundle).scan(pem) { |c| store.add_cert(OpenSSL::X509::Certificate.new(c)) }
  File.read(crls).scan(pem) { |c| store.add_crl(OpenSSL::X509::CRL.new(c)) }
  store.flags = OpenSSL::X509::V_FLAG_CRL_CHECK | OpenSSL::X509::V_FLAG_CRL_CHECK_ALL
  store
end

# A connection to `host`, whose name is verified, wherever it is reached.
def connection(host, port, address)
  http = Net::HTTP.new(host, port.to_i, nil)
  unless address.to_s.empty?
    # Ruby before 2.5 has no `ipaddr=`; every Ruby asks this method.
    http.define_singleton_method(:conn_address) { address }
  end
  http
end

def put(http, name)
  escaped = URI.encode_www_form_component(name).gsub('+', '%20')
  path = "/puppet-ca/v1/certificate_status/#{escaped}"
  request = Net::HTTP::Put.new(path, 'Content-Type' => 'application/json',
                               'Accept' => 'application/json', 'Connection' => 'close')
  request.body = JSON.generate('desired_state' => 'signed')
  response = http.request(request)
  { 'status' => response.code.to_i, 'body' => response.body.to_s }
end

def sign(name, host, port, certificate, key, bundle, crls, address = nil)
  http = connection(host, port, address)
  http.use_ssl = true
  http.verify_mode = OpenSSL::SSL::VERIFY_PEER
  http.cert_store = store(bundle, crls)
  http.cert = OpenSSL::X509::Certificate.new(File.read(certificate))
  http.key = OpenSSL::PKey.read(File.read(key))
  http.open_timeout = 15
  http.read_timeout = 60
  put(http, name)
rescue StandardError, Timeout::Error => error
  { 'status' => 0, 'body' => "#{error.class}: #{error.message}" }
end

answers = {}
STDIN.read.split("\n").each { |name| answers[name] = sign(name, *ARGV) }
puts JSON.generate(answers)
