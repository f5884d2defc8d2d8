#!/usr/bin/env bash
# Builds logql-check, which reads LogQL queries by Loki's own parser, to the path that is given. Loki's module wants its
# own replacements of others' modules, which Go takes from the main module only.
set -euo pipefail
loki=github.com/grafana/loki/v3 version=v3.7.8
out=$1 source=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$source/main.go" "$folder"
cd "$folder"
go mod init logqlcheck >/dev/null 2>&1
go mod download "$loki@$version"
gomod="$(go env GOMODCACHE)/$loki@$version/go.mod"
grep '^replace .* => [^.]' "$gomod" | sed 's/^replace //; s/ => /=/; s/ /@/g' | while read -r each; do
  go mod edit -replace "$each"
done
go get "$loki/pkg/logql/syntax@$version"
GOFLAGS=-mod=mod go build -o "$out" .
