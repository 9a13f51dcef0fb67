# need_tar: the directory is passed on from task to task as an archive
need_tar() {
  if command -v tar >/dev/null 2>&1; then return; fi
  report @no_tar "this image has no tar, with which the directory is passed on from task to task"
  exit @set_up_exit_code
}

# unpack ARCHIVE...: fill the working directory, which is empty, from the first archive that there is; fails if there is
# none. An empty one says that a task could not pack the directory. A folder that this script has made itself can get the
# mode that the archive has for it.
unpack() {
  for packed; do
    if ! [ -e "$task_dir/$packed" ]; then continue; fi
    rmdir "$files" 2>/dev/null
    { mkdir -p "$files" && cd "$link"; } || unwritable "$files"
    if [ -s "$task_dir/$packed" ] && tar -xof "$task_dir/$packed"; then return; fi
    report @not_passed_on "the directory cannot be unpacked: the task before did not pack all of it, or the disk is full"
    exit @set_up_exit_code
  done
  return 1
}

# lacking: there is no archive although a task before this one has left one
lacking() {
  report @not_passed_on "the directory that a task before this one has packed is not there"
  exit @set_up_exit_code
}

# pack: leave the directory for the next task, without what is only for this one; nothing must change it meanwhile
pack() {
  end_processes 2>/dev/null
  if mkdir -p "$files" && cd "$files" && rm -rf @own && tar -cf "$archive" .; then return; fi
  : >"$archive"
  report @not_passed_on "the directory cannot be packed for the next task: see above why"
  if [ "$code" -eq 0 ]; then code=@set_up_exit_code; fi
}
