# Wait until the agent of this node has made its key; tell key and certificate.
#
# Arguments: private key, certificate (paths), seconds to wait.  Prints the SHA-256
# fingerprint of the public key that belongs to the private key, and the certificate
# as far as it is there.
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

key_path, certificate_path, limit = ARGV
give_up = Time.now + limit.to_f
loop do
  text = read(key_path)
  # A file that is still being written is looked at again.
  key = text && (OpenSSL::PKey.read(text) rescue nil)
  if key
    digest = Digest::SHA256.hexdigest(public_der(key)).upcase.scan(/../).join(':')
    puts JSON.generate('key' => digest, 'certificate' => read(certificate_path))
    exit
  end
  break if Time.now > give_up
  sleep 0.2
end
puts JSON.generate('key' => nil, 'certificate' => read(certificate_path))
