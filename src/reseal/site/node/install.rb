# Set the old contents of directories aside and put the prepared ones there.
#
# Arguments: the backup's directory, then `DIRECTORY=PREPARED` pairs.  A link
# inside DIRECTORY that leads to another of the directories stays.  What gets its
# name is complete: it was renamed, or copied beside and then renamed.  The old
# contents go only when all of them are set aside and on disk, the prepared ones
# stay where they are; so the script can be killed anywhere and run again.
require 'fileutils'
require 'json'

# On Linux nothing is gone into or written through that somebody has just put there.
COPY = RUBY_PLATFORM =~ /linux/ ? %w[-a -T --remove-destination --] : %w[-a --]

def mark(backup, name)
  system('sync')
  File.open(File.join(backup, name), 'w') { |f| f.fsync }
  system('sync')
end

def marked?(backup, name)
  File.exist?(File.join(backup, name))
end

def there?(path)
  File.exist?(path) || File.symlink?(path)
end

def names(directory)
  Dir.entries(directory) - ['.', '..']
end

def remove(path)
  FileUtils.remove_entry(path) if there?(path)
end

def copy(from, to)
  fresh = "#{to}.reseal-new"
  remove(fresh)
  system('cp', *COPY, from, fresh) or abort("cannot copy #{from}")
  remove(to)
  File.rename(fresh, to)
end

# What lies aside under its own name is complete: an earlier run put it there.
def set_aside(from, to)
  return if there?(to)
  begin
    File.rename(from, to)
  rescue Errno::EXDEV, Errno::EBUSY
    copy(from, to)
  end
end

def leads_to?(path, directories)
  File.symlink?(path) && directories.include?((File.realpath(path) rescue nil))
end

def old_children(directory, directories)
  names(directory).map { |name| File.join(directory, name) }
                  .reject { |path| leads_to?(path, directories) }
end

backup, *pairs = ARGV
# One script of a run at a time: an earlier one whose connection broke may go on.
lock = File.open(File.join(backup, 'lock'), 'w', 0600)
lock.flock(File::LOCK_EX)
pairs = pairs.map { |pair| pair.split('=', 2) }
directories = pairs.map { |directory, _| File.realpath(directory) }
if marked?(backup, 'installed')
  puts JSON.generate('installed' => directories)
  exit
end
pairs.each do |_, prepared|
  File.directory?(prepared) or abort("#{prepared} is gone; nothing was changed now")
end
mark(backup, 'setting-aside')
unless marked?(backup, 'set-aside')
  pairs.each_with_index do |(directory, _), i|
    aside = File.join(backup, 'aside', i.to_s)
    FileUtils.mkdir_p(aside, :mode => 0700)
    old_children(directory, directories).each do |path|
      set_aside(path, File.join(aside, File.basename(path)))
    end
  end
  mark(backup, 'set-aside')
end
# From here on, all that lies in the directories is old and safe, or can be copied
# there anew.
pairs.each do |directory, prepared|
  old_children(directory, directories).each { |path| remove(path) }
  names(prepared).each do |name|
    copy(File.join(prepared, name), File.join(directory, name))
  end
end
if File.executable?('/sbin/restorecon') || File.executable?('/usr/sbin/restorecon')
  system('restorecon', '-R', *directories)
end
mark(backup, 'installed')
puts JSON.generate('installed' => directories)
