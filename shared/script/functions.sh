# Runs the commands of the task @task of the run @run.
report() { echo "@marker: $1: $2" >&2; }
unwritable() {
  report @working_directory "$1 cannot be written by the user of this image, $(id -un 2>/dev/null)"
  exit @set_up_exit_code
}

# need MARKER...: do not run unless the tasks before this one have ended well; the marker of each holds its exit code
need() {
  for marker; do
    code=
    { read -r code <"$task_dir/$marker"; } 2>/dev/null
    [ "$code" = 0 ] || skip "a task before this one did not end well"
  done
}

# unless_failed FOLDER BRANCH: do not run if another branch of the group has left a file there, because it has failed;
# but a branch that has begun goes on
unless_failed() {
  if [ -e "$task_dir/$1@begun-$2" ]; then return; fi
  for failed in "$task_dir/$1"*; do
    case ${failed##*/} in @none | @begun-* | "$2" | "*") ;; *) skip "a task of its group has failed" ;; esac
  done
}
# of_item MARKERS FAILURES ROUND ITEM [ASKED...]: what an item of a fan-out asks for, as the arguments of this script say:
# the marker `<task>/<item>` of a task before it, or, as `stop:<group>/<branch>`, that no other branch has failed
of_item() {
  markers=$1 failures=$2 round=$3
  shift 4
  for asked; do
    case $asked in
      @stop*) asked=${asked#@stop} && unless_failed "$failures${asked%/*}/$round/" "${asked##*/}" ;;
      *) need "$markers$asked/done" ;;
    esac
  done
}
skip() {
  report @skipped "$1"
  exit @skipped_exit_code
}

# leave_marker: make the file that Batch uploads, once this task has ended, for the tasks that need to know how
leave_marker() { echo begun >"$begun" || unwritable "$begun"; }

# end: the last act, however this script ends: one file is uploaded where the app awaits this task's end, the other, with
# the exit code, for tasks that need to know how this one ended
end() {
  code=$?
  rm -rf "$link"
  { echo ended >"$ended"; } 2>/dev/null
  if [ -e "$begun" ]; then echo "$code" >"$begun"; fi
}

# bring NAME SOURCE...: link the first source that exists as NAME
bring() {
  name=$1
  shift
  for source; do
    if [ -e "$task_dir/$source" ]; then
      case $name in */*) mkdir -p "${name%/*}" ;; esac
      ln -sf "$task_dir/$source" "$name"
      return
    fi
  done
  report @missing_input "$name was not made by the earlier task"
  exit @set_up_exit_code
}

# gather FOLDER SOURCE PATTERN INSIDE BELOW ITEM...: copy the files of each item, if it has any, into FOLDER/ITEM
gather() {
  folder=$1 source=$2 pattern=$3 inside=$4 below=$5
  shift 5
  mkdir -p "$folder"
  for each; do
    from=$task_dir/$source$each/$pattern to=$folder/$each/$below
    [ -d "$from" ] || continue
    if [ -d "$from/$inside" ]; then from=$from/$inside to=$folder/$each/; fi
    mkdir -p "$to" || unwritable "$to"
    cp -Rl "$from/." "$to" 2>/dev/null || cp -R "$from/." "$to" || unwritable "$to"
  done
}

# put NAME CONTENT: write a file
put() {
  case $1 in */*) mkdir -p "${1%/*}" ;; esac
  printf %s "$2" >"$1" || unwritable "$1"
}
