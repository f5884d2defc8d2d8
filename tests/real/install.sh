#!/usr/bin/env bash
# Installs the real programs that tests/real/ wants: Debian's by apt-get where this user may, Go's into .tools/bin.
# What cannot be had is told, and the tests that need it skip.
set -uo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/.tools/bin"

missing=()
for pair in redis-server:redis-server valkey-server:valkey prometheus:prometheus etcd:etcd-server \
  prometheus-alertmanager:prometheus-alertmanager kubectl:kubernetes-client openssl:openssl; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq >/dev/null 2>&1
  for package in "${missing[@]}"; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
      echo "real: no package $package here" >&2
  done
fi

# Not asked of Go again where they are: built from source, they take minutes.
build() { # program's name, module, name that `go install` gives it
  [ -x "$tools/$1" ] || command -v "$1" >/dev/null && return
  if ! command -v go >/dev/null; then
    echo "real: no Go toolchain here, so no $1" >&2
  elif GOBIN="$tools" go install "$2"; then
    [ "$1" = "$3" ] || mv "$tools/$3" "$tools/$1"
  else
    echo "real: $1 could not be built" >&2
  fi
}
build toxiproxy-server github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0 server
build apiextensions-apiserver k8s.io/apiextensions-apiserver@v0.36.0 apiextensions-apiserver
[ -x "$tools/logql-check" ] || ! command -v go >/dev/null || tests/real/logql/build.sh "$tools/logql-check" >/dev/null 2>&1 ||
  echo "real: logql-check could not be built" >&2

# No dependency of the tests, as it has no wheel and needs tools that not every machine builds with.
.venv/bin/pip install --quiet --disable-pip-version-check toxiproxy-python==0.1.1 ||
  echo "real: the published Toxiproxy client could not be installed" >&2
exit 0
