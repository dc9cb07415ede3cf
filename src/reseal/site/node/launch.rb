# Run a command in the background, in a session of its own; or end it.
#
# Arguments: path of its log, path of its process id file, the command; without a
# command, what runs from an earlier call is ended.  The file holds the process id
# and when the process started, a line each: the kernel gives the id to a stranger
# later.  A command that still runs from an earlier call is not run again.
require 'json'

LIMIT = 30

# Return when a process started, as the system tells it; nil when it has ended.
def started(pid)
  if File.exist?('/proc/self/stat')
    fields = File.binread("/proc/#{pid}/stat").sub(/\A.*\) /m, '').split(' ')
    # Clock ticks from the boot on; a zombie has ended.
    return fields[0] == 'Z' ? nil : fields[19]
  end
  told = `LC_ALL=C ps -o lstart= -p #{pid.to_i}`.strip
  told.empty? ? nil : told
rescue Errno::ENOENT, Errno::ESRCH
  nil
end

def alive?(pid, since)
  pid > 0 && !since.nil? && started(pid) == since
end

def stop(pid, since)
  give_up = Time.now + LIMIT
  Process.kill('TERM', pid)
  sleep 0.1 while alive?(pid, since) && Time.now < give_up
  Process.kill('KILL', pid) if alive?(pid, since)
rescue Errno::ESRCH
  nil
end

log, pid_file, *command = ARGV
id, since = File.exist?(pid_file) ? File.read(pid_file).split("\n") : []
old = id.to_i
runs = alive?(old, since)
if command.empty?
  stop(old, since) if runs
  File.delete(pid_file) if File.exist?(pid_file)
  puts JSON.generate('pid' => old, 'ended' => runs)
  exit
end
if runs
  puts JSON.generate('pid' => old, 'new' => false)
  exit
end
File.umask(077)
# The command starts when its id is on disk, so that nothing runs that nobody knows.
ready, go = IO.pipe
pid = fork do
  go.close
  exit!(1) unless ready.read(1)
  ready.close
  Process.setsid
  STDIN.reopen('/dev/null')
  STDOUT.reopen(log, 'a')
  STDERR.reopen(STDOUT)
  exec(*command)
end
ready.close
Process.detach(pid)
fresh = "#{pid_file}.new"
File.open(fresh, 'w') { |f| f.write("#{pid}\n#{started(pid)}\n"); f.fsync }
File.rename(fresh, pid_file)
go.write('!')
go.close
puts JSON.generate('pid' => pid, 'new' => true)
