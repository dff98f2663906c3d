# Single search nodes, loopback HTTP without security, made of jars from Maven Central: sourced by tools/dev/servers.
# Absent: es8, es9: painless, ingest processors, _reindex, _delete_by_query; es7: painless, ingest processors; os2: k-NN but
# with the engine "lucene".  es9 wants a newer Java than Debian 12 has: Debian 13's is unpacked beside it.

declare -A search_version=([es8]=8.19.21 [es9]=9.5.3 [es7]=7.17.29 [os2]=2.19.6)
search_source=$PWD/tools/dev/search-node

search_jars() {   # NAME: group:artifact:version[:type], one a line
  local v=${search_version[$1]} p
  case $1 in
    es8|es9)
      echo "org.elasticsearch:elasticsearch:$v"
      echo "org.elasticsearch.plugin:transport-netty4:$v" ;;
    es7)
      echo "org.elasticsearch:elasticsearch:$v"
      for p in transport-netty4-client reindex-client mapper-extras-client parent-join-client; do echo "org.elasticsearch.plugin:$p:$v"; done ;;
    os2)
      echo "org.opensearch:opensearch:$v"
      for p in transport-netty4-client reindex-client mapper-extras-client parent-join-client analysis-common ingest-common lang-painless; do
        echo "org.opensearch.plugin:$p:$v"
      done
      echo "org.apache.logging.log4j:log4j-core:2.25.4"
      echo "org.opensearch.plugin:opensearch-knn:$v.0:zip" ;;
  esac
}

search_plugins() {   # NAME: classes of the class path's plugins
  case $1 in
    es7) echo org.elasticsearch.transport.Netty4Plugin,org.elasticsearch.reindex.ReindexPlugin,org.elasticsearch.index.mapper.MapperExtrasPlugin,org.elasticsearch.join.ParentJoinPlugin ;;
    os2) echo org.opensearch.transport.Netty4Plugin,org.opensearch.index.reindex.ReindexPlugin,org.opensearch.index.mapper.MapperExtrasPlugin,org.opensearch.join.ParentJoinPlugin,org.opensearch.analysis.common.CommonAnalysisPlugin,org.opensearch.ingest.common.IngestCommonPlugin,org.opensearch.painless.PainlessPlugin,org.opensearch.knn.plugin.KNNPlugin ;;
    *) echo - ;;
  esac
}

# Java by its own loader and libraries: nothing of the system is touched, and nobody needs to be root.
fetch_java21() {
  local to=$cache/java21 new deb link
  [[ ! -e $to/complete ]] || return 0
  new=$(mktemp -d "$cache/java21.XXXXXX")
  mkdir -p "$new/root"/usr/{bin,sbin,lib,lib64}
  for deb in bin sbin lib lib64; do ln -s "usr/$deb" "$new/root/$deb"; done
  fetch_debs trixie "$new" openjdk-21-jdk-headless
  find "$new/root" -type l -lname '/*' -print | while read -r link; do ln -sfnr "$new/root$(readlink "$link")" "$link"; done   # its settings are in /etc
  touch "$new/complete"
  rm -rf "$to"
  mv "$new" "$to"
}

java_for() {   # NAME TOOL: sets `java` to the command, java or javac, that is fit for that node
  local root=$cache/java21/root
  java=("$2")
  [[ $1 == es9 ]] || return 0
  java=("$root"/lib64/ld-linux-*.so.* --library-path "$root/usr/lib/$(uname -m)-linux-gnu" "$root"/usr/lib/jvm/java-21-openjdk-*/bin/"$2")
}

fetch_node() {   # NAME
  local name=$1 v=${search_version[$1]} to new work jar base group artifact version type java
  to=$cache/search/$name-$v
  [[ ! -d $to ]] || return 0
  [[ $name != es9 ]] || fetch_java21
  mkdir -p "$cache/search"
  new=$(mktemp -d "$cache/search/$name.XXXXXX") work=$(mktemp -d)
  mkdir -p "$new"/{lib,config,modules,plugins,classes,tmp}
  {
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>lab</groupId><artifactId>node</artifactId><version>1</version><dependencies>'
    while IFS=: read -r group artifact version type; do
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version><type>${type:-jar}</type></dependency>"
    done < <(search_jars "$name")
    echo '</dependencies></project>'
  } > "$work/pom.xml"
  mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$new/lib" > "$work/log" 2>&1 ||
    { cat "$work/log" >&2; die "maven could not fetch $name"; }
  for jar in "$new"/lib/*.zip; do   # a plugin that comes as a zip of jars: those that are not there yet
    [[ -f $jar ]] || continue
    mkdir "$work/zip"
    (cd "$work/zip" && jar xf "$jar")
    rm "$jar"
    for jar in "$work"/zip/*.jar; do
      base=$(basename "$jar" .jar | sed -E 's/-[0-9].*//')
      compgen -G "$new/lib/$base-[0-9]*" > /dev/null || mv "$jar" "$new/lib/"
    done
  done
  printf '%s\n' 'status = error' 'appender.console.type = Console' 'appender.console.name = console' \
    'appender.console.layout.type = PatternLayout' 'appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n' \
    'rootLogger.level = warn' 'rootLogger.appenderRef.console.ref = console' > "$new/config/log4j2.properties"
  if [[ $name == es8 || $name == es9 ]]; then add_modules "$name" "$new" "$work"; fi
  mkdir "$work/source"
  cp "$search_source/${name/os2/es7}/LabNode.java" "$work/source"
  [[ $name != os2 ]] || sed -i 's/org\.elasticsearch/org.opensearch/' "$work/source/LabNode.java"
  java_for "$name" javac
  "${java[@]}" -nowarn -proc:none -cp "$new/lib/*" -d "$new/classes" "$work/source/LabNode.java" || die "cannot compile the launcher of $name"
  rm -rf "$work"
  mv "$new" "$to"
}

# HTTP is a module with a folder and jars of its own, apart from lib; and another answers "/", which no published jar does.
# No "modulename" line: with one, the server is wanted as JPMS modules.
add_modules() {   # NAME HOME WORK
  local name=$1 home=$2 work=$3 v=${search_version[$1]} release=17 java
  [[ $name == es8 ]] || release=21
  mkdir -p "$home"/modules/{transport-netty4,lab-root} "$work/root"
  mv "$home"/lib/netty-*.jar "$home"/lib/transport-netty4-*.jar "$home/modules/transport-netty4/"
  printf '%s\n' name=transport-netty4 description=http version="$v" elasticsearch.version="$v" java.version=$release \
    classname=org.elasticsearch.transport.netty4.Netty4Plugin > "$home/modules/transport-netty4/plugin-descriptor.properties"
  java_for "$name" javac
  "${java[@]}" -nowarn -proc:none -cp "$home/lib/*" -d "$work/root" "$search_source/$name/RootInfoPlugin.java" || die "cannot compile the root answer of $name"
  jar cf "$home/modules/lab-root/lab-root.jar" -C "$work/root" .
  printf '%s\n' name=lab-root description=root version="$v" elasticsearch.version="$v" java.version=$release \
    classname=labroot.RootInfoPlugin > "$home/modules/lab-root/plugin-descriptor.properties"
}

# The port of the node's last life, where it is still free: whoever was told it finds the node again.
node_port() {
  local port
  port=$(cat "$home/$1/port" 2>/dev/null) && python3 -c "import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', $port))" 2>/dev/null || port=$(free_port)
  echo "$port" | tee "$home/$1/port"
}

up_node() {   # NAME
  local name=$1 dir=$home/$1 at port heap=${ETL_SEARCH_HEAP:-1g} options=${1^^}_OPTIONS java
  tools/dev/install-packages search
  fetch_node "$name"
  at=$cache/search/$name-${search_version[$name]}
  local data=$dir/data
  mkdir -p "$dir"
  # Java looks a file's disk up in the table of mounts, which lacks the root of some containers.
  if ! awk -v m="$(stat -c %m "$dir")" '$2 == m {found = 1} END {exit !found}' /proc/mounts; then
    data=/dev/shm/etl-$name-$(printf '%s' "$dir" | cksum | cut -d' ' -f1)
  fi
  mkdir -p "$data"
  port=$(node_port "$name")
  java_for "$name" java
  # shellcheck disable=SC2086  # options are words
  start "$name" "${java[@]}" -Xms"$heap" -Xmx"$heap" -Xss1m -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError -XX:ErrorFile="$data/crash-%p.log" \
    -Dfile.encoding=UTF-8 -Djava.awt.headless=true -Djava.io.tmpdir="$at/tmp" \
    -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0 \
    -Dlog4j2.configurationFile="$at/config/log4j2.properties" -Dlog4j2.disable.jmx=true \
    -Dlab.home="$at" -Dlab.plugins="$(search_plugins "$name")" -cp "$at/classes:$at/lib/*" LabNode \
    node.name=lab cluster.name=lab discovery.type=single-node path.data="$data" path.logs="$data" \
    http.host=127.0.0.1 transport.host=127.0.0.1 http.port="$port" transport.port=0 \
    cluster.routing.allocation.disk.threshold_enabled=false ${!options:-}
  ready "$name" curl -fs -m 5 "127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s"
  printf '%s\n' "${name^^}_HOST=127.0.0.1" "${name^^}_PORT=$port" "${name^^}_URL=http://127.0.0.1:$port" > "$dir/env"
}
