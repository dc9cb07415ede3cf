# Run a command in the background, in a session of its own.
#
# Arguments: path of its log, path of its process id file, the command.  A command
# that still runs from an earlier call is not run again.
require 'json'

log, pid_file, *command = ARGV

def alive?(pid)
  Process.kill(0, pid)
  true
rescue Errno::ESRCH
  false
end

old = File.size?(pid_file) ? File.read(pid_file).to_i : 0
if old > 0 && alive?(old)
  puts JSON.generate('pid' => old, 'new' => false)
  exit
end
File.umask(077)
pid = fork do
  Process.setsid
  STDIN.reopen('/dev/null')
  STDOUT.reopen(log, 'a')
  STDERR.reopen(STDOUT)
  exec(*command)
end
Process.detach(pid)
File.open("#{pid_file}.new", 'w') { |f| f.write(pid.to_s); f.fsync }
File.rename("#{pid_file}.new", pid_file)
puts JSON.generate('pid' => pid, 'new' => true)
