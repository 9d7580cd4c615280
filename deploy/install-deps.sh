#!/usr/bin/env bash
# Installs what upscaled needs and this machine lacks, and nothing else.
#
#   deploy/install-deps.sh run     what a built upscaled loads: GStreamer's plugins, ONNX Runtime
#   deploy/install-deps.sh build   that, and a C compiler and headers (the default)
#   deploy/install-deps.sh test    that, and curl, ffmpeg, gst-launch, GStreamer's rtsp server, Chromium and npm, which make clips and check results
#
# Debian packages are installed system-wide, which needs root. ONNX Runtime is one file under
# .deps/, of the version in elements/infer/onnxruntime.version, taken from the first source that
# gives a file whose sha256 is in deploy/onnxruntime.sha256. A second run installs nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mode=${1:-build}
failed=0 installed=0

say() { printf 'install-deps: %s\n' "$*"; }

# complain notes what is still missing; the rest is looked at all the same, so that one run names it all.
complain() {
	say "$@" >&2
	failed=1
}

# --- Debian packages ---------------------------------------------------------------------------

packages=(
	ca-certificates
	gstreamer1.0-plugins-base
	gstreamer1.0-plugins-good
	gstreamer1.0-plugins-bad  # x265, AV1
	gstreamer1.0-plugins-ugly # x264
	gstreamer1.0-libav
)
[[ $mode == run ]] || packages+=(
	gcc
	libc6-dev
	pkgconf
	libgstreamer1.0-dev
	libgstreamer-plugins-base1.0-dev
)
[[ $mode == test ]] && packages+=(curl ffmpeg gstreamer1.0-tools chromium python3-gi gir1.2-gst-rtsp-server-1.0)
# Node.js is often here from elsewhere, and Debian's npm does not go with it.
[[ $mode == test ]] && ! command -v npm >/dev/null && packages+=(nodejs npm)

# missing_packages prints those of packages that are not installed, one per line.
missing_packages() {
	local have
	have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
	printf '%s\n' "${packages[@]}" | while read -r package; do
		grep -qxF "$package installed" <<<"$have" || echo "$package"
	done
}

install_packages() {
	if ! command -v dpkg-query >/dev/null; then
		complain "this is neither Debian nor Ubuntu; install what these Debian packages hold: ${packages[*]}"
		return
	fi
	local missing
	mapfile -t missing < <(missing_packages)
	((${#missing[@]})) || return 0

	if ((EUID != 0)); then
		complain "Debian packages are missing and only root can install them: ${missing[*]}"
		say "as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
		return
	fi
	say "installing ${missing[*]} (a minute or two)"
	local apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0) log
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	if "${apt[@]}" update &>"$log" && "${apt[@]}" install -y --no-install-recommends "${missing[@]}" &>>"$log" </dev/null; then
		installed=1
	else
		tail -n 20 "$log" >&2
		complain "apt-get could not install ${missing[*]}; its last words are above"
	fi
	rm -f -- "$log"
}

# --- Go ----------------------------------------------------------------------------------------

check_go() {
	local need have
	need=$(awk '$1 == "go" { print $2 }' "$root/go.mod")
	if ! command -v go >/dev/null; then
		complain "Go $need or newer is missing: unpack it from https://go.dev/dl/ and put its bin folder into PATH"
		return
	fi
	# Asked for inside the module: a go that fetches the release which go.mod wants is as good.
	if ! have=$(cd "$root" && go env GOVERSION 2>&1) ||
		[[ $(printf '%s\n' "go$need" "$have" | sort -V | head -n 1) != "go$need" ]]; then
		complain "Go $need or newer is needed and $(command -v go) says: $have; newer ones are at https://go.dev/dl/"
	fi
}

# --- ONNX Runtime ------------------------------------------------------------------------------

version=$(<"$root/elements/infer/onnxruntime.version")
machine=$(uname -m)
library=.deps/onnxruntime/$version/libonnxruntime.so.1
sums=deploy/onnxruntime.sha256

# known FILE: the repository lists its sha256 for this version and machine.
known() {
	local sum
	sum=$(sha256sum <"$1")
	awk -v sum="${sum%% *}" -v version="$version" -v machine="$machine" \
		'$1 == sum && $2 == version && $3 == machine { found = 1 } END { exit !found }' "$root/$sums"
}

# Each from_ function puts a library at $work/library, or says why it has none and fails.

from_environment() {
	cp -- "$UPSCALED_ORT_LIBRARY" "$work/library"
}

from_npm() {
	local platform=x64
	[[ $machine == aarch64 ]] && platform=arm64
	if ! command -v npm >/dev/null; then
		say "npm is not here, which comes with Node.js"
		return 1
	fi
	(cd "$work" && timeout 600 npm pack --silent "onnxruntime-node@$version" </dev/null >/dev/null) || return 1
	tar -xOzf "$work/onnxruntime-node-$version.tgz" --wildcards \
		"package/bin/*/linux/$platform/libonnxruntime.so.1" >"$work/library"
}

from_wheel() {
	if ! python3 -m pip --version >/dev/null 2>&1; then
		say "python3 with pip is not here"
		return 1
	fi
	# The library in the wheel is the same whatever Python it is for, so the machine's own does not matter.
	timeout 600 python3 -m pip download --quiet --no-deps --only-binary :all: --implementation cp \
		--python-version 3.12 --platform "manylinux_2_28_$machine" --dest "$work" "onnxruntime==$version" || return 1
	python3 - "$work" "onnxruntime/capi/libonnxruntime.so.$version" <<-'PYTHON'
		import glob, shutil, sys, zipfile
		work, member = sys.argv[1:]
		[wheel] = glob.glob(work + "/*.whl")
		with zipfile.ZipFile(wheel).open(member) as source, open(work + "/library", "wb") as target:
		    shutil.copyfileobj(source, target)
	PYTHON
}

from_release() {
	local platform=x64
	[[ $machine == aarch64 ]] && platform=aarch64
	local name=onnxruntime-linux-$platform-$version
	if ! command -v curl >/dev/null; then
		say "curl is not here"
		return 1
	fi
	curl --fail --silent --show-error --location --connect-timeout 20 --max-time 600 --output "$work/release.tgz" \
		"https://github.com/microsoft/onnxruntime/releases/download/v$version/$name.tgz" || return 1
	tar -xOzf "$work/release.tgz" "$name/lib/libonnxruntime.so.$version" >"$work/library"
}

# try FROM WHAT: places the library that the function FROM gets, if it is a known one.
try() {
	if ! "$1"; then
		say "ONNX Runtime $version: not taken from $2" >&2
	elif ! known "$work/library"; then
		say "ONNX Runtime $version: refused what came from $2: its sha256 is not in $sums" >&2
	else
		mkdir -p "$root/${library%/*}"
		chmod 755 "$work/library"
		mv -f -- "$work/library" "$root/$library" # same file system: whole or not at all
		say "ONNX Runtime $version: $library, from $2"
		installed=1
		return 0
	fi
	rm -f -- "$work/library"
	return 1
}

install_onnxruntime() {
	if ! grep -q " $machine " "$root/$sums"; then
		complain "ONNX Runtime: $sums lists no build for $machine"
		return
	fi
	if [[ -e $root/$library ]]; then
		known "$root/$library" && return
		say "ONNX Runtime $version: $library is to be replaced: its sha256 is not in $sums" >&2
	fi
	if ! mkdir -p "$root/.deps" || ! work=$(mktemp -d "$root/.deps/install.XXXXXX"); then
		complain "ONNX Runtime $version is missing, and $root/.deps, where it belongs, cannot be written"
		return
	fi
	trap 'rm -rf -- "$work"' EXIT
	[[ -n ${UPSCALED_ORT_LIBRARY:-} ]] && try from_environment "UPSCALED_ORT_LIBRARY=$UPSCALED_ORT_LIBRARY" && return
	try from_npm "the npm package onnxruntime-node" && return
	try from_wheel "the Python wheel onnxruntime" && return
	try from_release "the project's release archive" && return
	complain "ONNX Runtime $version is missing: give this machine npm or python3 with pip, or name a file in UPSCALED_ORT_LIBRARY"
}

case $mode in
run | build | test) ;;
*)
	sed -n '4,6s/^#   //p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
install_packages
[[ $mode == run ]] || check_go
install_onnxruntime
((failed)) && exit 1
((installed)) || say "nothing to install: ${#packages[@]} Debian packages and ONNX Runtime $version are here"
