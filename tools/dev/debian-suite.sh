# Sourced by who needs packages of another release of Debian; the system's own lists and packages are not touched.

# debian_suite SUITE DIR: makes DIR/apt.conf, for APT_CONFIG, over the mirror that this machine uses, and fetches the lists.
debian_suite() {
  local suite=$1 dir=$2 file files=() mirror
  for file in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list; do
    [[ ! -e $file ]] || files+=("$file")
  done
  [[ ${#files[@]} -gt 0 ]] || { echo "debian_suite: there is neither /etc/apt/sources.list nor a file of /etc/apt/sources.list.d that names a mirror" >&2; return 1; }
  mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; ++i) if ($i ~ /:\/\//) {print $i; exit}}' "${files[@]}") || return
  [[ -n $mirror ]] || { echo "debian_suite: found no mirror in ${files[*]}" >&2; return 1; }
  mkdir -p "$dir"/{lists/partial,cache/archives/partial}
  : > "$dir/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$dir/sources.list"
  cat > "$dir/apt.conf" <<CONF
Dir::Etc::SourceList "$dir/sources.list"; Dir::Etc::SourceParts "/dev/null"; Dir::State::Lists "$dir/lists";
Dir::Cache "$dir/cache"; Dir::State::status "$dir/status"; Acquire::Languages "none"; APT::Install-Recommends "false"; APT::Sandbox::User "";
CONF
  APT_CONFIG=$dir/apt.conf apt-get update > "$dir/log" 2>&1 || { cat "$dir/log" >&2; echo "debian_suite: cannot fetch the lists of $suite" >&2; return 1; }
}
