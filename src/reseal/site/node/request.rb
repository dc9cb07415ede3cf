# Wait until the agent of this node has made its key and sent its request.
#
# Arguments: private key, request, certificate (paths), seconds to wait, and the
# path of the log of the agent's process or `-`.  Prints the SHA-256 fingerprint
# of the public key that belongs to the private key, and the request and the
# certificate as far as they are there.
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

key_path, request_path, certificate_path, limit = ARGV
give_up = Time.now + limit.to_f
loop do
  text = read(key_path)
  request = read(request_path)
  certificate = read(certificate_path)
  if text && (request || certificate)
    # A file that is still being written is looked at again.
    key = OpenSSL::PKey.read(text) rescue nil
    if key
      digest = Digest::SHA256.hexdigest(public_der(key)).upcase.scan(/../).join(':')
      puts JSON.generate('key' => digest, 'request' => request, 'certificate' => certificate)
      exit
    end
  end
  break if Time.now > give_up
  sleep 0.2
end
puts JSON.generate('key' => nil, 'request' => nil, 'certificate' => nil)
