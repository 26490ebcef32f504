#!/bin/sh
# Leads to the upgrade of this bundle; --help tells.
set -eu
name='{{.M.Name}}'
here=$(dirname "$(readlink -f "$0")")
project=$here/project

usage() {
  cat << 'TEXT'
{{.M.Name}} {{.M.Version}}: {{.M.Title}}
{{if .M.Route}}
It leads over {{len .M.Route}} hop{{if ne (len .M.Route) 1}}s{{end}}:{{range .M.Route}}
  {{.From}} -> {{.To}}{{end}}
{{end}}
usage: ./upgrade [FLAGS]              upgrade, or go on with it; FLAGS are those of "upstep run"
       ./upgrade COMMAND [ARGUMENTS]  a command of upstep, for this upgrade:
         status, history              how far it is, what has run
         rollback                     take the last run back
         cancel, approve, skip        see ./upgrade COMMAND --help
         verify                       tell whether the bundle is as it was made
       ./upgrade run --help           every flag of an upgrade

What it does stands in project/playbooks/README.md.
{{if eq .M.Inventory "itself"}}
It upgrades the machine that it is run on. -i INVENTORY names other hosts.
{{- else if eq .M.Inventory "included"}}
It upgrades the hosts of the inventory that it brings along (project/inventory).
{{- else}}
It needs to be told its hosts: ./upgrade -i INVENTORY
{{- end}}
Before anything begins it makes sure that the bundle is as it was made.
TEXT
  printf '\nThe record of every run, which resuming needs, is in\n  %s/.upstep\n' "$project"
}

# fail MESSAGE HINT [CODE]
fail() {
  printf '%s: %s\n  hint: %s\n' "$name" "$1" "$2" >&2
  exit "${3:-5}"
}

# upstep shows its commands as they are typed here.
export UPSTEP_LAUNCHER="$here/upgrade"

# intact ends with 5 when anything was changed. The sums are checked without the bundle's
# own binary first, which may be what was changed.
intact() {
  [ "$(uname -m)" = '{{.Machine}}' ] || {{if eq .Machine "i686"}}[ "$(uname -m)" = x86_64 ] || {{end}}fail "this bundle is for {{.Machine}}, and this machine is $(uname -m)" "make it with --binary of an upstep for this machine" 2
  if command -v sha256sum > /dev/null; then
    found=$(cd "$here" && LC_ALL=C sha256sum -c SHA256SUMS 2>&1) || {
      printf '%s\n' "$found" | grep -v ': OK$' >&2
      fail "the bundle is not as it was made; nothing was run" "get it anew"
    }
  fi
  "$here/bin/upstep" bundle verify "$here" > /dev/null
}

# suffices tells whether there is an Ansible that a run can do with.
suffices() {
  version=$(ansible-playbook --version 2> /dev/null | sed -n '1s/^[^0-9]*\([0-9][0-9]*\)\.\([0-9][0-9]*\).*/\1 \2/p')
  [ -n "$version" ] || return 1
  [ "${version% *}" -gt {{.Major}} ] || { [ "${version% *}" -eq {{.Major}} ] && [ "${version#* }" -ge {{.Minor}} ]; }
}
{{if .M.Ansible}}
# bring puts the Ansible of the bundle on PATH, for this run only. It is unpacked into a
# folder of its own, and nothing of the system is changed. It is a Python environment of
# its own, too: the system's Python runs it, but takes no module from the system.
bring() {
  command -v python3 > /dev/null || fail "python3 is not installed, and Ansible runs on it" "install the python3 of this system; every host that is upgraded needs it as well" 2
  command -v dpkg-deb > /dev/null || fail "this system has no dpkg-deb to unpack the Ansible of the bundle, which is for {{.M.Ansible.System}}" "install ansible-core {{.Major}}.{{.Minor}} or later by the system's own means" 2
  system=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}")
  [ "$system" = '{{.M.Ansible.System}}' ] || fail "the Ansible of the bundle is for {{.M.Ansible.System}}, and this is $system" "install ansible-core {{.Major}}.{{.Minor}} or later by the system's own means" 2
  own=$project/.upstep/ansible-$(sha256sum "$here/SHA256SUMS" | cut -c 1-16)
  if [ -d "$own" ] && (cd "$own" && sha256sum -c SUMS > /dev/null 2>&1); then
    PATH=$own/bin:$PATH
    return
  fi
  echo "$name: unpacking the Ansible of the bundle into $own" >&2
  [ -d "$project/.upstep" ] || mkdir -m 700 "$project/.upstep"
  rm -rf "$own"
  find "$project/.upstep" -maxdepth 1 -name 'ansible-*.new.*' -mmin +60 -exec rm -rf {} + # of one that was killed
  new=$(mktemp -d "$own.new.XXXXXX")
  chmod 755 "$new"
  for package in "$here"/packages/*.deb; do
    # Of libraries the system's own come first: they may be newer.
    of=$(dpkg-deb -f "$package" Package)
    case $of in
      ansible* | python3-*) ;;
      *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$of" 2> /dev/null)" != installed ] || continue ;;
    esac
    dpkg-deb -x "$package" "$new"
  done
  python=$(command -v python3)
  site=$new/python/lib/$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')/site-packages
  mkdir -p "$site" "$new/python/bin" "$new/bin"
  ln -s "$python" "$new/python/bin/python3"
  printf 'home = %s\ninclude-system-site-packages = false\n' "$(dirname "$python")" > "$new/python/pyvenv.cfg"
  cat > "$site/bundle.pth" << 'TEXT'
import sys; sys.path += [sys.prefix + "/../usr/lib/python3/dist-packages", sys.prefix + "/../usr/lib/python%d.%d" % sys.version_info[:2]]
import ctypes, glob, sys; list(map(ctypes.CDLL, glob.glob(sys.prefix + "/../usr/lib/*/libyaml-0.so.2")))
TEXT
  for tool in "$new"/usr/bin/ansible*; do
    cat > "$new/bin/${tool##*/}" << 'TEXT'
#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$here/python/bin/python3" "$here/usr/bin/${0##*/}" "$@"
TEXT
    chmod 755 "$new/bin/${tool##*/}"
  done
  if ! command -v ssh > /dev/null && [ -x "$new/usr/bin/ssh" ]; then
    cat > "$new/bin/ssh" << 'TEXT'
#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
for libraries in "$here"/usr/lib/*-linux-gnu*; do break; done
LD_LIBRARY_PATH=$libraries exec "$here/usr/bin/ssh" "$@"
TEXT
    chmod 755 "$new/bin/ssh"
  fi
  (cd "$new" && find bin python usr/bin usr/lib -type f ! -name '*.pyc' -exec sha256sum {} +) > "$new/SUMS.new"
  mv "$new/SUMS.new" "$new/SUMS"
  mv -T "$new" "$own" 2> /dev/null || rm -rf "$new" # another was faster
  PATH=$own/bin:$PATH
}
{{else}}
bring() {
  said=$(ansible-playbook --version 2>&1 | head -n 1) || true
  if command -v ansible-playbook > /dev/null; then
    fail "the ansible-playbook that is here is not one of {{.Major}}.{{.Minor}} or later, or does not run: $said" "see as this user: ansible-playbook --version" 2
  fi
  fail "ansible-core {{.Major}}.{{.Minor}} or later is not installed, and this bundle brings none along" "install it, or have the bundle made with --with-ansible" 2
}
{{end}}
case ${1:-} in
  -h | --help | help) usage; exit ;;
esac
command=run
case ${1:-} in
  '' | -*) ;;
  *) command=$1; shift ;;
esac

# Paths are typed as seen from where the command is, and upstep takes them as below the project.
count=$# last=
while [ "$count" -gt 0 ]; do
  word=$1 file= front=
  shift
  case $last in -i | --inventory | --inputs) file=$word ;; esac
  case $word in --inventory=* | --inputs=*) front=${word%%=*}= file=${word#*=} ;; esac
  last=$word
  case $file in
    '' | /*) ;;
    *) [ ! -e "$file" ] || word=$front$PWD/$file ;;
  esac
  set -- "$@" "$word"
  count=$((count - 1))
done

case $command in
  verify) exec "$here/bin/upstep" bundle verify "$here" "$@" ;;
  run | rollback)
    intact
    suffices || bring
    export PATH
    ;;
esac
if [ "$command" = run ]; then
  exec "$here/bin/upstep" run -C "$project" "$project/playbooks/plan.json" "$@"
fi
exec "$here/bin/upstep" "$command" -C "$project" "$@"
