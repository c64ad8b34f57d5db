#!/bin/sh
# Makes a root able to be a host with dnf or zypper, too, which Debian has as packages: builds the shop's packages as .rpm from what
# is in the .deb files, and installs the first versions into RPM's own database. Usage, in the root: rpm.sh DIRECTORY; there the .deb
# files lie, and there each NAME_VERSION.rpm comes.
set -eu
directory=$1
export LC_ALL=C.UTF-8
# Debian's rpm keeps its database in the account's home.
mkdir -p /etc/rpm
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The files of NAME_VERSION.deb, if there is one, become a package; further sections of the spec come on standard input.
build() { # NAME VERSION ARCHITECTURE [TAG-LINE…]
    name=$1 version=$2 architecture=$3
    shift 3
    rm -rf "$work/tree"
    mkdir "$work/tree"
    for deb in "$directory/${name}_${version}"_*.deb; do [ ! -e "$deb" ] || dpkg-deb -x "$deb" "$work/tree"; done
    {
        printf 'Name: %s\nVersion: %s\nRelease: 1\nSummary: package of the test kit\nLicense: MIT\n' "$name" "$version"
        echo 'AutoReqProv: no'
        [ "$architecture" = native ] || echo "BuildArch: $architecture"
        for line; do echo "$line"; done
        printf '%%description\npackage of the test kit\n%%install\ncp -a %s/tree/. %%{buildroot}\n' "$work"
        cat
        echo '%files'
        (cd "$work/tree" && find . -type f | sed 's/^\.//; s/^\/etc\//%config(noreplace) &/')
    } >"$work/spec"
    rpmbuild --quiet -bb --define "_topdir $work/top" --define "_rpmdir $directory" --define '__os_install_post %{nil}' \
        --define 'debug_package %{nil}' --define '_build_id_links none' \
        --define '_build_name_fmt %%{NAME}_%%{VERSION}.rpm' "$work/spec" >"$work/log" 2>&1 || { cat "$work/log" >&2 && exit 1; }
}

# As in its .deb: whenever it is configured, a line tells; while it is, nothing answers.
shop() { # VERSION SCRIPT
    build shop "$1" noarch <<SPEC
%post
start-stop-daemon --stop --quiet --oknodo --retry 3 --pidfile /run/shop.pid --remove-pidfile || :
echo "configure $1" >>/var/log/shop
$2
[ -e /etc/default/shop ] || exit 0
start-stop-daemon --start --quiet --oknodo --background --output /var/log/shopd --make-pidfile --pidfile /run/shop.pid --startas /usr/lib/shop/shopd
SPEC
}

# What the root has, of which RPM does not know.
build kit-release 1 noarch 'Provides: /bin/sh' 'Provides: system-release' 'Provides: system-release(releasever) = 1' \
    'Provides: distribution-release' 'Provides: glibc' </dev/null
shop 1.0 :
shop 1.1+fix1 :
# RPM has installed it by then, and goes on.
shop 1.2 'echo "the database can not be migrated" >&2; exit 1'
# Installs well, but does not work.
shop 1.3 :
# Takes its time.
shop 1.5 ': >/run/shop-at-gate; while [ -e /run/shop-closed ]; do sleep 0.1; done'
for version in 1.0 1.1 1.2; do build shop-tool "$version" native </dev/null; done
for version in 1.0 1.1; do build shop-conf "$version" noarch </dev/null; done

rpm --initdb
# The files are there already, from dpkg, and become those of another package.
rpm -i --nosignature "$directory/kit-release_1.rpm" "$directory"/shop_1.0.rpm "$directory"/shop-tool_1.0.rpm \
    "$directory"/shop-conf_1.0.rpm
