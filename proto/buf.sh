#!/usr/bin/env bash
# Runs buf on the protos, with no registry of modules: buf.sh generate | lint | breaking | release.
# Breaking compares with released.binpb, what the last release promised; release makes that anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Of the version that buf.build/go/protovalidate in go.mod was made for.
validate=github.com/bufbuild/protovalidate@v1.2.2

export BUF_CACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/postern/buf
buf() { go tool -modfile=../test/tools/buf/go.mod buf "$@"; }

# buf looks for imports in its workspace only, so one is made of links.
workspace=$(mktemp -d)
trap 'rm -rf "$workspace"' EXIT
ln -s "$PWD/buf.yaml" "$workspace/buf.yaml"
ln -s "$PWD" "$workspace/postern-api"
modules=$(go mod download -json "$validate" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
ln -s "$modules/proto/protovalidate" "$workspace/validate"
image() { buf build "$workspace" --path "$workspace/postern-api/postern" --exclude-source-info -o "$1"; }

case ${1:-} in
generate) buf generate "$workspace" --path "$workspace/postern-api/postern" --template buf.gen.yaml ;;
lint) buf lint "$workspace" --path "$workspace/postern-api/postern" ;;
breaking)
  image "$workspace/now.binpb"
  buf breaking "$workspace/now.binpb" --against released.binpb --exclude-imports --config buf.yaml
  ;;
release) image released.binpb ;;
*) sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
