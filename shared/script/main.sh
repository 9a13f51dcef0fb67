# --- set-up: whether the task runs at all, the working directory, and what the first attempt finds in it
item=$1
link=@link
task_dir=$PWD
files="$PWD"/@inputs
notes="$PWD/${0%/*}"
begun=$notes/@begun ended=$notes/@ended
expired=$notes/expired stopped=$notes/stopped kept=$notes/inputs packages=$notes/packages
most=@most longest=@longest lowest=@lowest highest=@highest millionths=@millionths is_random=@is_random
seed=$((@seed + ${item:-0}))
archive=$notes/@archive
keeps_inputs=@keeps_inputs
@gate
@handover
@variants
trap end EXIT
gate "$@@"
{ mkdir -p "$files" && rm -f "$expired" "$stopped" "$notes/@attempts_file"; } || unwritable "$files"
running='' ending=TERM
trap stop TERM INT
if [ "$keeps_inputs" = yes ] && [ -e "$kept.complete" ]; then
  put_back # this node has begun the task before
else
  enter
  prepare
  if [ "$keeps_inputs" = yes ]; then keep_inputs; fi
  if [ "$is_shared" = yes ]; then put_back; fi
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
pass_on
exit "$code"
