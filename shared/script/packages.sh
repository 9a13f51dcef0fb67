# install_python PACKAGES _ MANAGER KESTRA LINES: install what the LINES of a requirements file name into the folder
# PACKAGES, with uv if that is the MANAGER and the image has it, otherwise with pip; and if KESTRA is yes, the package
# kestra, unless the image has it. What is installed is there for all attempts.
#
# Packages are installed in the environment of the commands, which may say where they come from. So nothing is used here
# but arguments, and this is called in a shell of its own.
install_python() {
  packages=$1 manager=$3 kestra=$4 lines=$5
  if [ -e "$packages.complete" ]; then return; fi
  python=$(command -v python || command -v python3)
  missing=
  if [ "$kestra" = yes ] && [ -n "$python" ] && ! "$python" -c '@finds_kestra'; then missing=kestra; fi
  if [ -n "$lines$missing" ]; then
    [ -n "$python" ] || not_installed "this image has no Python that could install packages"
    put @requirements "$lines"
    rm -rf "$packages"
    set -- --target "$packages" --requirement @requirements ${missing:+"$missing"}
    if [ "$manager" = UV ] && command -v uv >/dev/null; then by_uv "$@@"; else by_pip "$@@"; fi
  fi
  : >"$packages.complete"
}
by_uv() {
  set -- --no-config --no-cache --no-progress --index-strategy unsafe-best-match --python "$python" "$@@"
  uv pip install "$@@" >&2 || not_installed "uv cannot install the packages; stderr.txt says why"
}
by_pip() {
  "$python" -m pip --version >/dev/null 2>&1 || not_installed "this image has no pip that could install packages"
  set -- --no-input --no-cache-dir --progress-bar off "$@@"
  "$python" -m pip install "$@@" >&2 || not_installed "pip cannot install the packages; stderr.txt says why"
}

# install_node PACKAGES TASK_DIR NAME...: install packages with npm, where programs in the working directory find them
install_node() {
  packages=$1 task_dir=$2
  shift 2
  if [ -e "$packages.complete" ]; then return; fi
  command -v npm >/dev/null || not_installed "this image has no npm that could install packages"
  rm -rf "$packages"
  mkdir -p "$packages" || unwritable "$packages"
  npm install --prefix "$packages" --no-audit --no-fund --no-progress -- "$@@" >&2 ||
    not_installed "npm cannot install the packages; stderr.txt says why"
  ln -sfn "$packages/node_modules" "$task_dir/node_modules" || unwritable "$task_dir"
  : >"$packages.complete"
}

# not_installed WHY: end the attempt, because packages cannot be had
not_installed() {
  report @not_installed "$1"
  exit @set_up_exit_code
}
