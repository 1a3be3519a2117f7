#!/usr/bin/env bash
# Installs a fast software Vulkan driver (Mesa's newest lavapipe) beside the system, and a copy of Node that runs on it.
#
# For machines without a GPU. Debian 12's own lavapipe (Mesa 22.3) is too old for Dawn and its backport (25.0) is 3 to 4
# times slower than Debian unstable's, which alone offers cooperative matrices.
#
# usage: scripts/software-gpu.sh [DIR]     default DIR: ~/.cache/software-gpu
# then:  . DIR/env
#
# Writes nothing outside of DIR and needs no root. Needs apt-get and dpkg on Debian, x86-64 or arm64.
# The driver needs unstable's C library, so a copy of `node` gets that library's loader and path (patchelf); programs
# that this node starts are the system's own.
set -euo pipefail

dir=$(realpath -m "${1:-$HOME/.cache/software-gpu}")
node=$(readlink -f "$(command -v node)")
if [[ -f $dir/env && $("$dir/bin/node" --version 2>/dev/null) == "$("$node" --version)" ]]; then
  echo "software-gpu: already in $dir"
  exit 0
fi
for tool in apt-get dpkg; do
  command -v "$tool" >/dev/null || { echo "software-gpu: needs $tool: this runs on Debian only" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,sources,root} "$dir"/{bin,lib}

# The mirror that this system uses, with the suites unstable (the driver) and this release (patchelf).
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
  sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +(https?:[^ ]+\/debian)\/?( .*)?$/\3/p' | sort -u | sed -n 1p) || true
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
[[ $mirror ]] || { echo "software-gpu: /etc/apt names no Debian mirror" >&2; exit 1; }
cat >"$work/sources/unstable.sources" <<S
Types: deb
URIs: $mirror
Suites: unstable $release
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
S
# An empty status file: every package that the driver needs counts as not installed, so all are downloaded.
apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources"
  -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives"
  -o Dir::State::status=/dev/null -o APT::Sandbox::User= -o Acquire::Languages=none
  -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false)
"${apt[@]}" update
"${apt[@]}" install --download-only --no-install-recommends -y mesa-vulkan-drivers libvulkan1 libstdc++6
# Unstable's patchelf 0.18 breaks node.
(cd "$work/archives" && "${apt[@]}" download "patchelf/$release")
for package in "$work"/archives/*.deb; do dpkg -x "$package" "$work/root"; done

libraries=$work/root/usr/lib/$(uname -m)-linux-gnu
loader=$(find "$work/root" -name 'ld-linux*.so.*' -print -quit)
run() { "$loader" --library-path "$libraries" "$@"; }
{
  run --list "$libraries/libvulkan_lvp.so" | awk '$3 ~ /^\// { print $3 }'
  printf '%s\n' "$libraries"/{libvulkan_lvp.so,libvulkan.so.1,libstdc++.so.6,libgcc_s.so.1}
  # What node opens by name.
  printf '%s\n' "$libraries"/{libdl.so.2,libpthread.so.0,librt.so.1,libresolv.so.2,libnss_files.so.2,libnss_dns.so.2}
} | sort -u | while read -r library; do cp -L "$library" "$dir/lib/"; done
cp -L "$loader" "$dir/lib/"

cp "$node" "$dir/bin/node.new"
run "$(find "$work/root" -path '*bin/patchelf' -print -quit)" --set-interpreter "$dir/lib/$(basename "$loader")" \
  --force-rpath --set-rpath "$dir/lib" "$dir/bin/node.new"
mv "$dir/bin/node.new" "$dir/bin/node"
printf '{"file_format_version":"1.0.1","ICD":{"api_version":"1.4.0","library_path":"%s"}}\n' \
  "$dir/lib/libvulkan_lvp.so" >"$dir/lvp_icd.json"
"$dir/bin/node" --version >/dev/null
# Last: its presence says that all is there.
printf 'export PATH="%s:$PATH" VK_ICD_FILENAMES="%s" XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"\n' \
  "$dir/bin" "$dir/lvp_icd.json" >"$dir/env"
echo "software-gpu: installed in $dir ($(du -sh "$dir" | cut -f1)); to use it: . $dir/env"
