# Wait until the agent of this node has what it needs; tell key and certificate.
#
# Arguments: private key, certificate (paths), seconds to wait, and for what: `key` or
# `certificate`.  Prints the SHA-256 fingerprint of the public key that belongs to the
# private key, and the certificate as far as it is there.
require 'digest'
require 'json'
require 'openssl'

def read(path)
  File.size?(path) ? File.read(path) : nil
end

def public_der(key)
  return key.public_to_der if key.respond_to?(:public_to_der)
  return key.public_key.to_der unless key.is_a?(OpenSSL::PKey::EC)
  point = OpenSSL::PKey::EC.new(key.group)
  point.public_key = key.public_key
  point.to_der
end

key_path, certificate_path, limit, wanted = ARGV
give_up = Time.now + limit.to_f
key = certificate = nil
loop do
  text, certificate = read(key_path), read(certificate_path)
  # A file that is still being written is looked at again.
  key = text && (OpenSSL::PKey.read(text) rescue nil)
  whole = certificate && (OpenSSL::X509::Certificate.new(certificate) rescue nil)
  break if (key && (whole || wanted == 'key')) || Time.now > give_up
  sleep 0.2
end
digest = key && Digest::SHA256.hexdigest(public_der(key)).upcase.scan(/../).join(':')
puts JSON.generate('key' => digest, 'certificate' => certificate)
