#!/bin/sh
# Builds a small real Debian with sshd and the kit's packages in their first version. Usage: root.sh DIRECTORY PACKAGES RPM, as root:
# DIRECTORY must not be there yet, PACKAGES is a script that builds .deb files into the directory that it is given, and RPM one that
# makes .rpm files of them, in the root, which has dnf and zypper as well: Debian has them as packages.
# What this machine installs from is what the root is made of; 3: it installs from no Debian.
set -eu
directory=$1 packages=$2 rpm=$3
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# apt tells what it really uses, in whatever files and forms it is written down.
# shellcheck disable=SC2016 # apt fills these in
apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(IDENTIFIER)|$(ORIGIN)' |
    awk -F '|' '$4 == "Packages" && $5 == "Debian" { print "deb " $1 " " $2 " " $3 }' | sort -u >"$scratch/sources"
[ -s "$scratch/sources" ] || { echo 'apt knows no repository of Debian here (is `apt-get update` due?)' >&2 && exit 3; }
# Of `bookworm`, `bookworm-updates` and `bookworm-security` the shortest is the suite itself.
suite=$(awk '{ print length($3), $3 }' "$scratch/sources" | sort -n | awk 'NR == 1 { print $2 }')
apt-config dump | grep -E '^Acquire::(Check-|http::|https::|Retries)' >"$scratch/apt.conf" || :
# Nobody reads there. Told to dpkg alone: for mmdebstrap it is slower to leave a file out than to write it.
printf 'path-exclude=/usr/share/%s/*\n' doc info locale man >"$scratch/unread"
mmdebstrap --quiet --variant=apt --mode=root --skip=check/empty \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --hook-dir=/usr/share/mmdebstrap/hooks/eatmydata \
    --include=usr-is-merged,openssh-server,dnf,zypper,rpm,createrepo-c \
    --aptopt="$scratch/apt.conf" --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt=force-unsafe-io --extract-hook="cp '$scratch/unread' \"\$1/etc/dpkg/dpkg.cfg.d/unread\"" \
    "$suite" "$directory" "$scratch/sources" </dev/null
# Options of the building are not the host's; there is no disk whose writes would have to be waited for.
rm -f "$directory"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$directory"/etc/dpkg/dpkg.cfg.d/unread "$directory"/etc/apt/apt.conf.d/99mmdebstrap
rm -rf "$directory"/etc/apt/sources.list "$directory"/etc/apt/sources.list.d/* "$directory"/etc/ssh/ssh_host_*
echo force-unsafe-io >"$directory/etc/dpkg/dpkg.cfg.d/kit"
# Nothing but sshd and the shop runs on a host of the kit.
printf '#!/bin/sh\nexit 101\n' >"$directory/usr/sbin/policy-rc.d"
chmod 755 "$directory/usr/sbin/policy-rc.d"

mkdir "$directory/packages"
sh "$packages" "$directory/packages"
chroot "$directory" sh -c 'exec dpkg -i /packages/*_1.0_*.deb' >&2
cp "$rpm" "$directory/packages/rpm.sh"
chroot "$directory" sh /packages/rpm.sh /packages >&2
