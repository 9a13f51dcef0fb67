# stop: on a signal from outside, end what runs now; nothing is tried again after that
stop() {
  if [ -e "$expired" ]; then return; fi
  : >"$stopped"
  if [ -n "$running" ]; then kill -"$ending" "$running" 2>/dev/null; fi
}

# enter: go to the working directory, by the link that its users know
enter() {
  mkdir -p "$files" || unwritable "$files"
  if rm -rf "$link" && ln -s "$files" "$link" && cd "$link"; then return; fi
  report @tmp "/tmp cannot be written in this image, or it has no ln; the working directory is linked there"
  exit @set_up_exit_code
}

# copy FROM TO: the content of a folder; files that are links become files, as an attempt may change them in place
copy() {
  if mkdir -p "$2" && (umask 0 && cp -RL "$1/." "$2/"); then return; fi
  report @no_room "the inputs cannot be copied, as every attempt needs its own: no room on the node's disk, or no cp"
  exit @set_up_exit_code
}

# keep_inputs: copy what the first attempt finds, for the later ones
keep_inputs() {
  rm -rf "$kept"
  copy "$files" "$kept"
  : >"$kept.complete"
}

# put_back: empty the working directory, and put into it what the first attempt found: in a directory that is shared, what
# the task before has left there, and over that what this task brings
put_back() {
  enter
  empty
  if [ -n "$remaining" ]; then chmod -R u+rwx . 2>/dev/null && empty; fi
  if [ -n "$remaining" ]; then
    report @working_directory "the working directory cannot be emptied for another attempt: $remaining is left"
    exit @set_up_exit_code
  fi
  furnish
  copy "$kept" "$files"
}

# empty: remove everything in the current folder, in portions that fit into a command line; $remaining is what is left
empty() {
  set --
  for each in ./..?* ./.[!.]* ./*; do
    set -- "$@@" "$each"
    if [ $# -ge 500 ]; then
      rm -rf "$@@" 2>/dev/null
      set --
    fi
  done
  rm -rf "$@@" 2>/dev/null
  remaining=
  for each in ./..?* ./.[!.]* ./*; do
    if [ -e "$each" ] || [ -L "$each" ]; then remaining=$each; fi
  done
}

# begin_attempt, end_attempt: two lines for each attempt in @attempts_file: `<number> begins <time> <bytes of stdout.txt>
# <bytes of stderr.txt>` and `<number> ends <time> <exit code>`; times in seconds since 1970, - for what this image cannot
# tell. The line in both logs comes after that: where these are written with a delay, the counts of bytes are too small.
begin_attempt() {
  if [ "$most" -eq 1 ]; then return; fi
  echo "$attempt begins $(clock) $(bytes_of stdout.txt) $(bytes_of stderr.txt)" >>"$notes/@attempts_file"
  if [ "$attempt" -eq 1 ]; then return; fi
  printf '\n@attempt_line\n' "$attempt"
  printf '\n@attempt_line\n' "$attempt" >&2
}
end_attempt() {
  if [ "$most" -eq 1 ]; then return; fi
  echo "$attempt ends $(clock) $code" >>"$notes/@attempts_file"
}
clock() { date +%s 2>/dev/null || echo -; }
bytes_of() { { wc -c <"$task_dir/../$1"; } 2>/dev/null || echo -; }

# run_attempt: run the commands to their end; $code is their exit code
#
# `kill 0` reaches every process of the task, as the shell that interprets the commands does not pass signals on. A
# signal from outside reaches only this script, which passes it on. No signal ends this script before the commands have
# ended: Batch uploads the outputs of a task that ends by itself, but it does not document this for a task that it kills.
run_attempt() {
  rm -f "$expired"
  running='' ending=TERM
  # The task's environment is set for its commands only: the rest of this script must not depend on it.
  (
    if [ -e "$stopped" ]; then exit 143; fi
    export WORKING_DIR="$link" ATTEMPT="$attempt"@item_index
    run
  ) &
  running=$!
  if [ -e "$stopped" ]; then stop; fi
  (
    trap 'kill -KILL "$!" 2>/dev/null; exit' TERM
    kill -0 "$running" || exit # they may have ended before the trap was set, and then the signal that says so is lost
    sleep @seconds & wait "$!"
    : >"$expired"
    trap '' TERM
    kill -TERM 0
    trap 'kill -KILL "$!" 2>/dev/null; exit' TERM
    sleep @grace & wait "$!"
    kill -KILL "$running"
  ) >/dev/null 2>&1 </dev/null &
  watchdog=$!
  while :; do
    wait "$running"
    code=$?
    kill -0 "$running" 2>/dev/null || break
  done
  running=
  kill "$watchdog" 2>/dev/null
  if [ -e "$expired" ]; then
    report @time_limit "the commands were stopped after their time limit of @seconds seconds"
    code=@time_limit_exit_code
  fi
}

# again: whether the commands are tried once more; if so, after the pause, with everything as it was for the first time
again() {
  if [ "$code" -eq 0 ] || [ "$attempt" -eq "$most" ] || [ -e "$stopped" ]; then return 1; fi
  next_pause
  if [ "$longest" -gt 0 ] && [ $((($(clock) - began) * 1000 + pause)) -gt "$longest" ]; then return 1; fi
  if ! end_processes 2>/dev/null; then # bash tells of what was killed
    echo "@marker: processes of attempt $attempt cannot be ended, so there is no other attempt" >&2
    return 1
  fi
  rest
  if [ -e "$stopped" ]; then return 1; fi
  put_back
  attempt=$((attempt + 1))
}

# next_pause: the milliseconds before the next attempt; those of items that failed together differ if they are random
next_pause() {
  if [ "$is_random" = yes ]; then
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    pause=$((lowest + (highest - lowest) * (seed / 65536) / 32768))
  elif [ -z "$pause" ]; then
    pause=$lowest
  else
    pause=$((pause * millionths / 1000000))
  fi
  if [ "$pause" -gt "$highest" ]; then pause=$highest; fi
}

# rest: sleep for the pause; a sleep that knows no fractions of a second gets the next whole one
rest() {
  whole=$((pause / 1000)) part=$((pause % 1000 + 1000))
  if [ "$part" -gt 1000 ]; then
    if sleep 0.001 2>/dev/null; then whole=$whole.${part#1}; else whole=$((whole + 1)); fi
  fi
  ending=KILL
  sleep "$whole" >/dev/null 2>&1 &
  running=$!
  if [ -e "$stopped" ]; then stop; fi
  wait "$running" 2>/dev/null
  running=
}

# end_processes: end what the commands left running, and wait for its end; fails if that takes longer than ten seconds
end_processes() {
  tries=0
  while kill_others; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then return 1; fi
    sleep 0.1 2>/dev/null || sleep 1
  done
}

# kill_others: kill what still runs of the commands; fails if nothing does. As the first process of a container this
# script ends every other one, elsewhere those of its own group and session.
kill_others() {
  others=
  for each in /proc/[0-9]*/stat; do
    { read -r line <"$each"; } 2>/dev/null || continue
    pid=${line%% *} line=${line##*) }
    state=${line%% *} line=${line#* * }
    group=${line%% *} line=${line#* }
    session=${line%% *}
    case $pid:$state in "$$":* | *:[ZX]) continue ;; esac
    case 1:$group:$session in "$$":* | *:"$$":* | *:"$$") ;; *) continue ;; esac
    kill -KILL "$pid" 2>/dev/null
    others=yes
  done
  [ -n "$others" ]
}
