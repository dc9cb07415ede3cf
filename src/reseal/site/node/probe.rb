# One TLS connection and one HTTP request, told as it happened.
#
# Standard input: a JSON list of probes, each with `host` (the server's name), `port`,
# `path` and, as far as wanted, `connect` (the address, if it is not that name),
# `certificate` and `key` (paths: what we present), `bundle` and `crls` (paths: whom
# we trust; without `bundle` anybody), `expected` (path of the certificate the server
# should show), `say` (instead of an HTTP request), `enough` (bytes of the answer, which
# then need not be a line), `before` (what comes before TLS: `line`, one of the server's,
# or `postgres`, PostgreSQL's request for TLS).  Prints for each the SHA-256 of the
# certificate the server showed and of the expected one, the HTTP status, the error, and `tried`: what we present could
# be loaded, so that an error is not of our own making before there is a connection.
# A refused client certificate shows in TLS 1.3 only when the answer is read.
require 'digest'
require 'json'
require 'openssl'
require 'socket'
require 'timeout'

PEM = /-----BEGIN [^-]+-----.*?-----END [^-]+-----/m

def context(probe)
  context = OpenSSL::SSL::SSLContext.new
  context.verify_mode = OpenSSL::SSL::VERIFY_NONE
  if probe['bundle']
    store = OpenSSL::X509::Store.new
    File.read(probe['bundle']).scan(PEM) { |c| store.add_cert(OpenSSL::X509::Certificate.new(c)) }
    if probe['crls']
      File.read(probe['crls']).scan(PEM) { |c| store.add_crl(OpenSSL::X509::CRL.new(c)) }
      store.flags = OpenSSL::X509::V_FLAG_CRL_CHECK | OpenSSL::X509::V_FLAG_CRL_CHECK_ALL
    end
    context.cert_store = store
    context.verify_mode = OpenSSL::SSL::VERIFY_PEER
  end
  if probe['certificate']
    context.cert = OpenSSL::X509::Certificate.new(File.read(probe['certificate']))
    context.key = OpenSSL::PKey.read(File.read(probe['key']))
  end
  # Now, and not when the connection is made, OpenSSL refuses a weak key or a wrong one.
  context.setup
  context
end

def fingerprint(certificate)
  Digest::SHA256.hexdigest(certificate.to_der).upcase.scan(/../).join(':')
end

# What some protocols say in clear before they speak TLS.
def greet(socket, before)
  raise EOFError, 'closed without a word' if before == 'line' && socket.gets.nil?
  return unless before == 'postgres'
  socket.write([8, 80_877_103].pack('NN'))
  raise IOError, 'does not speak TLS' unless socket.read(1) == 'S'
end

def ask(probe)
  told = {}
  if probe['expected']
    expected = OpenSSL::X509::Certificate.new(File.read(probe['expected']))
    told['expected'] = fingerprint(expected)
  end
  ready = context(probe)
  told['tried'] = true
  socket = TCPSocket.new(probe['connect'] || probe['host'], probe['port'])
  begin
    greet(socket, probe['before'])
    tls = OpenSSL::SSL::SSLSocket.new(socket, ready)
    tls.hostname = probe['host'] if tls.respond_to?(:hostname=)
    tls.connect
    told['server'] = fingerprint(tls.peer_cert)
    tls.post_connection_check(probe['host']) if probe['bundle']
    tls.write(probe['say'] ||
              "GET #{probe['path']} HTTP/1.1\r\nHost: #{probe['host']}\r\n" \
              "Accept: text/plain, application/json\r\nConnection: close\r\n\r\n")
    line = probe['enough'] ? tls.read(probe['enough']) : tls.gets
    raise EOFError, 'closed without an answer' if line.nil? || line.empty?
    line = line.unpack('C*').map { |byte| byte < 128 ? byte.chr : '?' }.join
    told['line'] = line.strip[0, 80]
    told['status'] = line.split(' ')[1].to_i
  ensure
    socket.close
  end
  told
rescue StandardError => error
  told.merge('error' => "#{error.class}: #{error.message}")
end

probes = JSON.parse(STDIN.read)
answers = probes.map do |probe|
  begin
    Timeout.timeout(20) { ask(probe) }
  rescue Timeout::Error
    { 'error' => 'no answer within 20 seconds' }
  end
end
puts JSON.generate(answers)
