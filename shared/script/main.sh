item=$1 before=$2
link=@link
task_dir=$PWD
files="$PWD"/@inputs
expired="$PWD/${0%/*}/expired"
begun="$PWD/${0%/*}/@begun"
@gate
@variants
gate
{ mkdir -p "$files" && rm -f "$expired"; } || unwritable "$files"
if ! { rm -f "$link" && ln -s "$files" "$link" && cd "$link"; }; then
  report @tmp "/tmp cannot be written in this image, or it has no ln; the working directory is linked there"
  exit @set_up_exit_code
fi
trap 'rm -f "$link"' EXIT
prepare

# `kill 0` reaches every process of the task, as the shell that interprets the commands does not pass signals on. A
# signal from outside reaches only this script, which passes it on. No signal ends this script before the commands have
# ended: Batch uploads the outputs of a task that ends by itself, but it does not document this for a task that it kills.

# The task's environment is set for its commands only: the rest of this script must not depend on it.
(
  export WORKING_DIR="$link" HOME="$link"@item_index
  run
) &
commands=$!
trap '[ -e "$expired" ] || kill -TERM "$commands" 2>/dev/null' TERM INT
(
  trap 'kill "$!" 2>/dev/null' TERM
  sleep @seconds & wait "$!" || exit 0
  : >"$expired"
  kill -TERM 0
  sleep @grace & wait "$!"
  kill -KILL "$commands"
) >/dev/null 2>&1 </dev/null &
watchdog=$!

while :; do
  wait "$commands"
  code=$?
  kill -0 "$commands" 2>/dev/null || break
done
kill "$watchdog" 2>/dev/null

if [ -e "$expired" ]; then
  report @time_limit "the commands were stopped after their time limit of @seconds seconds"
  exit @time_limit_exit_code
fi
exit "$code"
