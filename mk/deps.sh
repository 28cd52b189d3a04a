#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Installs the Debian packages of mk/packages.txt that are missing, or names
# them where it cannot. When all are there it only asks dpkg, once.
#
#   mk/deps.sh [--check] [LIST]     LIST: mk/oracles.txt, say; --check: install nothing, exit 1 if any is missing

set -u

check_only=
[ "${1-}" = --check ] && { check_only=1; shift; }
list=${1:-$(dirname "$0")/packages.txt}

die() { echo "deps: $*" >&2; exit 1; }

entries() { sed 's/#.*//' "$list" | awk 'NF { print $1, $2 }'; }

missing_by_dpkg() {
	wanted=$(entries | cut -d' ' -f1)
	# shellcheck disable=SC2086 # one word is one package
	have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted \
		2>/dev/null | sed -n 's/^installed //p')
	for p in $wanted; do
		printf '%s\n' "$have" | grep -qxF "$p" || echo "$p"
	done
}

# $1 is a command, <a header>, or nothing to look for
probe() {
	case $1 in
	'') return 0 ;;
	'<'*) echo "#include $1" | "${CC:-cc}" -E -x c - >/dev/null 2>&1 ;;
	*) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
	esac
}

missing_by_probe() {
	entries | while read -r package thing; do
		probe "$thing" || echo "$package"
	done
}

find_missing() {
	if command -v dpkg-query >/dev/null; then
		missing_by_dpkg
	else
		missing_by_probe
	fi
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

install_all() {
	apt_get='apt-get -o DPkg::Lock::Timeout=300 -q'
	# shellcheck disable=SC2086 # words are meant
	as_root $apt_get update || echo "deps: apt-get update failed; trying with the old lists" >&2
	# shellcheck disable=SC2086
	as_root $apt_get install -y --no-install-recommends "$@"
}

[ -r "$list" ] || die "cannot read $list"
missing=$(find_missing | tr '\n' ' ')
missing=${missing% }
if [ -z "$missing" ]; then
	echo "deps: all $(entries | wc -l) packages are there"
	exit 0
fi
[ -z "$check_only" ] || die "missing: $missing"
command -v apt-get >/dev/null ||
	die "no apt-get on this machine; install what these Debian packages hold: $missing"
[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
	die "neither root nor sudo; as root: apt-get install --no-install-recommends $missing"

echo "deps: installing $missing"
# shellcheck disable=SC2086 # one word is one package
install_all $missing || die "apt-get failed; wanted: $missing"
missing=$(find_missing | tr '\n' ' ')
[ -z "$missing" ] || die "apt-get succeeded, yet these are missing: $missing"
echo "deps: all $(entries | wc -l) packages are there"
