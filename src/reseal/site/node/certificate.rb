# Wait until the node has its certificate, and read it.
#
# Arguments: the certificate's path, seconds to wait.  Prints the PEM, or null.
require 'json'
require 'openssl'

path, limit = ARGV
give_up = Time.now + limit.to_f
pem = nil
until pem || Time.now > give_up
  if File.size?(path)
    text = File.read(path)
    pem = text if (OpenSSL::X509::Certificate.new(text) rescue nil)
  end
  sleep 0.2 unless pem
end
puts JSON.generate('certificate' => pem)
