# Set the old contents of directories aside and move the prepared ones in.
#
# Arguments: the backup's directory, then `DIRECTORY=PREPARED` pairs.  A link
# inside DIRECTORY that leads to another of the directories stays.  Every move is
# a rename or a copy that is complete before the original goes; marks in the
# backup's directory tell an interrupted run where to go on.
require 'fileutils'
require 'json'

def mark(backup, name)
  path = File.join(backup, name)
  File.open(path, 'w') { |f| f.fsync }
  system('sync')
end

def marked?(backup, name)
  File.exist?(File.join(backup, name))
end

def move_children(from, to, kept)
  FileUtils.mkdir_p(to)
  (Dir.entries(from) - ['.', '..']).each do |child|
    path = File.join(from, child)
    next if File.symlink?(path) && kept.include?(File.realpath(path))
    FileUtils.rm_rf(File.join(to, child))
    system('mv', '-f', '--', path, File.join(to, child)) or abort("cannot move #{path}")
  end
end

backup, *pairs = ARGV
# One script of a run at a time: an earlier one whose connection broke may go on.
lock = File.open(File.join(backup, 'lock'), 'w', 0600)
lock.flock(File::LOCK_EX)
pairs = pairs.map { |pair| pair.split('=', 2) }
directories = pairs.map { |directory, _| File.realpath(directory) }
mark(backup, 'setting-aside')
unless marked?(backup, 'set-aside')
  pairs.each_with_index do |(directory, _), i|
    move_children(directory, File.join(backup, 'aside', i.to_s), directories)
  end
  mark(backup, 'set-aside')
end
pairs.each { |directory, prepared| move_children(prepared, directory, []) }
if File.executable?('/sbin/restorecon') || File.executable?('/usr/sbin/restorecon')
  system('restorecon', '-R', *directories)
end
mark(backup, 'installed')
puts JSON.generate('installed' => directories)
