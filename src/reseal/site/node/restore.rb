# Put a backup back in place of what is there now, and prove it.
#
# Arguments: the backup's directory, then the absolute paths it was made of.
# Each path's new content is complete beside the backup's tree before the old
# content goes; can be run again after it was interrupted.
require 'digest'
require 'fileutils'
require 'json'

def describe(path)
  stat = File.lstat(path)
  content =
    if stat.symlink? then "link #{File.readlink(path)}"
    elsif stat.directory? then 'directory'
    else "#{Digest::SHA256.file(path).hexdigest}"
    end
  format('%04o %d:%d %s', stat.mode & 07777, stat.uid, stat.gid, content)
end

def manifest(path)
  lines = ["#{describe(path)} #{path}"]
  stat = File.lstat(path)
  if stat.directory?
    (Dir.entries(path) - ['.', '..']).each { |c| lines.concat(manifest(File.join(path, c))) }
  end
  lines
end

def run(*words)
  system(*words) or abort("failed: #{words.join(' ')}")
end

def put_back(saved, path)
  if File.lstat(saved).directory?
    FileUtils.mkdir_p(path)
    (Dir.entries(path) - ['.', '..']).each do |child|
      FileUtils.rm_rf(File.join(path, child), :secure => true)
    end
    # The directory itself stays, so that a mount point or a watch survives.
    run('cp', '-a', '--', "#{saved}/.", path)
  else
    temporary = "#{path}.reseal-restore"
    FileUtils.rm_f(temporary)
    run('cp', '-a', '--', saved, temporary)
    File.rename(temporary, path)
  end
end

backup, *paths = ARGV
# One script of a run at a time: an earlier one whose connection broke may go on.
lock = File.open(File.join(backup, 'lock'), 'w', 0600)
lock.flock(File::LOCK_EX)
wanted = File.read(File.join(backup, 'manifest')).split("\n")
paths.each do |path|
  saved = File.join(backup, 'tree', path)
  if File.exist?(saved) || File.symlink?(saved)
    put_back(saved, path)
  else
    FileUtils.rm_rf(path)
  end
end
system('sync')
there = paths.select { |p| File.exist?(p) || File.symlink?(p) }
found = there.map { |p| manifest(p) }.flatten
differing = (wanted - found) + (found - wanted)
abort("restored files differ from the backup: #{differing.first}") unless differing.empty?
puts JSON.generate('entries' => found.size)
