#!/bin/bash
# Prints the name of the broker's image, built first where the engine has it not: Kafka's jars from lib/, a Java
# runtime made by jlink, a shell, the C library of this machine. Needs Linux, a JDK 17 or newer, Docker's client.
set -euo pipefail
cd "$(dirname "$0")"
say() { echo "image: $*" >&2; }

digest=$(cat pom.xml Dockerfile image.sh bin/*.sh | sha256sum | cut -c1-12)
image=claimseal-kafka:$digest
if docker image inspect "$image" >/dev/null 2>&1; then
  echo "$image"
  exit 0
fi

[ "$(uname -s)" = Linux ] || { say 'can be built on Linux only; set KAFKA_IMAGE=apache/kafka:4.1.0'; exit 1; }
jlink=${JAVA_HOME:+$JAVA_HOME/bin/}jlink
command -v "$jlink" >/dev/null || { say 'no jlink: install a JDK 17 or newer'; exit 1; }
if ! [ -e lib/.pom-sha256 ]; then
  say "fetching Kafka's jars from Maven ..."
  mvn -q -B -Dmdep.useBaseVersion=true dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib >&2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/claimseal-image-XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,etc/kafka,root,tmp,opt/kafka/{bin,libs}}
chmod 1777 "$root/tmp"
cp lib/*.jar "$root/opt/kafka/libs/"
cp bin/*.sh "$root/opt/kafka/bin/"
chmod 755 "$root"/opt/kafka/bin/*.sh

say 'linking a Java runtime ...'
modules=java.base,java.logging,java.management,java.naming,java.security.jgss,java.security.sasl,java.sql,java.xml
modules+=,jdk.crypto.ec,jdk.management,jdk.unsupported
"$jlink" --output "$root/opt/java" --add-modules "$modules" --strip-debug --no-man-pages --no-header-files
# The archive of the runtime's own classes, which jlink leaves out: each start is half a second faster.
"$root/opt/java/bin/java" -XX:+UseSerialGC -Xshare:dump >/dev/null

# The shell, and the libraries of everything that is no script, at the paths where their loader looks.
cp "$(readlink -f /bin/sh)" "$root/bin/sh"
find "$root/bin/sh" "$root/opt/java" -type f \( -perm -u+x -o -name '*.so' \) -exec ldd {} + 2>/dev/null |
  sed -nE 's,^[[:space:]]+(.* => )?(/[^ ]+) \(0x.*,\2,p' | sort -u |
  while read -r library; do
    case $library in "$root"/*) continue ;; esac
    install -D -m 755 "$(readlink -f "$library")" "$root$library"
  done
# The native library of zstd lies in a jar, where ldd does not look: it names a part of the C library.
beside=$(dirname "$(find "$root" -name libc.so.6 -print -quit)")
install -m 755 "${beside#"$root"}/libpthread.so.0" "$beside/"
# Names are resolved by files alone: the module for them is part of the C library.
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

say "building $image ..."
docker build --quiet --tag "$image" --file Dockerfile "$work" >&2
echo "$image"
