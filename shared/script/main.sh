# --- set-up: whether the task runs at all, the working directory, and what the first attempt finds in it
item=$1
link=@link
task_dir=$PWD
files="$PWD"/@inputs
notes="$PWD/${0%/*}"
begun=$notes/@begun ended=$notes/@ended
expired=$notes/expired stopped=$notes/stopped kept=$notes/inputs
most=@most longest=@longest lowest=@lowest highest=@highest millionths=@millionths is_random=@is_random
seed=$((@seed + ${item:-0}))
@gate
@variants
trap end EXIT
gate "$@@"
{ mkdir -p "$files" && rm -f "$expired" "$stopped" "$notes/@attempts_file"; } || unwritable "$files"
running='' ending=TERM
trap stop TERM INT
if [ "$most" -ne 1 ] && [ -e "$kept.complete" ]; then
  put_back # this node has begun the task before
else
  enter
  prepare
  if [ "$most" -ne 1 ]; then keep_inputs; fi
fi

# --- attempts
pause='' attempt=1
if [ "$longest" -gt 0 ]; then
  began=$(clock)
  if [ "$began" = - ]; then
    report @no_program "this image has no date, which tells when the maxDuration of a retry is over"
    exit @set_up_exit_code
  fi
fi
while :; do
  begin_attempt
  run_attempt
  end_attempt
  again || break
done

# --- end
exit "$code"
