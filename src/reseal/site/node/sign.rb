# Sign bytes with a private key that never leaves this node.
#
# Argument: the key's path.  Standard input: what to sign, in base64.  Prints the
# signature (SHA-256; RSA PKCS#1 v1.5 or ECDSA, by the kind of key) in base64.
require 'json'
require 'openssl'

key = OpenSSL::PKey.read(File.read(ARGV[0]))
data = STDIN.read.unpack('m').first
signature = key.sign(OpenSSL::Digest.new('SHA256'), data)
puts JSON.generate('signature' => [signature].pack('m').delete("\n"))
