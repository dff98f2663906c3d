# ClickHouse servers on loopback HTTP, with the users default (no password) and etl/etl: sourced by tools/dev/servers.
#   ch18  Debian's clickhouse-server 18.16
#   ch26  the engine of 26.9 as a library (PyPI's chdb) behind modern.py: all formats, parameters and settings, one query at a time

ch26_python=3   # any Python 3 of Debian
ch26_packages=(chdb==4.4.0 chdb-core==26.9.0 zstandard==0.25.0 lz4==4.4.5)

up_ch18() {
  local dir=$home/ch18 port tcp
  tools/dev/install-packages clickhouse
  mkdir -p "$dir"/{data,tmp,user_files,format_schemas,log}
  port=$(free_port) tcp=$(free_port)
  cat > "$dir/config.xml" <<XML
<?xml version="1.0"?><yandex>
<logger><level>warning</level><log>$dir/log/ch.log</log><errorlog>$dir/log/ch.err.log</errorlog><size>100M</size><count>2</count></logger>
<http_port>$port</http_port><tcp_port>$tcp</tcp_port><interserver_http_port>$(free_port)</interserver_http_port>
<listen_host>127.0.0.1</listen_host><max_connections>256</max_connections><keep_alive_timeout>10</keep_alive_timeout>
<max_concurrent_queries>100</max_concurrent_queries><uncompressed_cache_size>268435456</uncompressed_cache_size>
<mark_cache_size>536870912</mark_cache_size><path>$dir/data/</path><tmp_path>$dir/tmp/</tmp_path>
<user_files_path>$dir/user_files/</user_files_path><format_schema_path>$dir/format_schemas/</format_schema_path>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<timezone>UTC</timezone></yandex>
XML
  cat > "$dir/users.xml" <<'XML'
<?xml version="1.0"?><yandex><profiles><default><max_memory_usage>6000000000</max_memory_usage></default>
<readonly><readonly>1</readonly></readonly></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
<etl><password>etl</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></etl>
<reader><password>etl</password><networks><ip>127.0.0.1</ip></networks><profile>readonly</profile><quota>default</quota></reader></users>
<quotas><default><interval><duration>3600</duration><queries>0</queries><errors>0</errors><result_rows>0</result_rows><read_rows>0</read_rows><execution_time>0</execution_time></interval></default></quotas></yandex>
XML
  start ch18 clickhouse-server --config-file="$dir/config.xml"
  ready ch18 curl -sf "http://127.0.0.1:$port/ping"
  describe_clickhouse ch18 "$port"
  echo "CH18_TCP=$tcp" >> "$dir/env"
}

fetch_ch26() {
  local to=$cache/clickhouse/ch26 spec
  spec=$(printf '%s\n' "${ch26_packages[@]}" | cksum | cut -d' ' -f1)
  [[ $(cat "$to/complete" 2>/dev/null) != "$spec" ]] || return 0
  rm -rf "$to"
  mkdir -p "$to"
  /usr/bin/python$ch26_python -m venv "$to/python"
  # Without what only its data frames need.
  "$to/python/bin/pip" install --quiet --no-deps "${ch26_packages[@]}" >&2
  echo "$spec" > "$to/complete"
}

up_ch26() {
  local dir=$home/ch26 port
  tools/dev/install-packages clickhouse
  fetch_ch26
  port=$(free_port)
  mkdir -p "$dir/data"
  # shellcheck disable=SC2086
  start ch26 "$cache/clickhouse/ch26/python/bin/python" tools/dev/clickhouse/modern.py --port "$port" --path "$dir/data" ${CH26_OPTIONS:-}
  ready ch26 curl -sf "http://127.0.0.1:$port/ping"
  describe_clickhouse ch26 "$port"
}

describe_clickhouse() {   # NAME PORT
  local prefix=${1^^}
  printf '%s\n' "${prefix}_HOST=127.0.0.1" "${prefix}_PORT=$2" "${prefix}_USER=etl" "${prefix}_PASSWORD=etl" "${prefix}_URL=http://127.0.0.1:$2" > "$home/$1/env"
}
