#!/bin/sh
# Builds the packages of the kit: a shop with a real HTTP service in good and in bad versions, and what stands around it.
# Usage: packages.sh DIRECTORY. Beside each NAME.deb comes NAME.deb.control, its control fields.
set -eu
directory=$1
export LC_ALL=C.UTF-8
native=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# What is in $tree becomes a package.
build() { # NAME VERSION ARCHITECTURE [CONTROL-LINE…]
    file=$directory/$1_$2_$3.deb
    mkdir -p "$tree/DEBIAN"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' "$1" "$2" "$3"
        printf 'Maintainer: kit <kit@example.org>\nSection: misc\nPriority: optional\n'
        shift 3
        for line; do echo "$line"; done
        echo 'Description: package of the test kit'
    } >"$tree/DEBIAN/control"
    for script in "$tree"/DEBIAN/p* "$tree/DEBIAN/config"; do [ ! -f "$script" ] || chmod 755 "$script"; done
    chmod 755 "$tree"
    dpkg-deb -Znone --root-owner-group -b "$tree" "$file" >/dev/null
    dpkg-deb -f "$file" >"$file.control"
    rm -rf "${tree:?}"/*
}

# The service needs nothing but what every Debian has; it listens where /etc/default/shop says, and without that it is not started.
# Whenever it is configured, a line tells.
shop() { # VERSION ANSWER POSTINST [CONTROL-LINE…]
    version=$1 answer=$2 postinst=$3
    shift 3
    mkdir -p "$tree/usr/lib/shop" "$tree/DEBIAN"
    sed "s/@ANSWER@/$answer/" >"$tree/usr/lib/shop/shopd" <<'PERL'
#!/usr/bin/perl
use strict; use IO::Socket::INET;
my $listen; open my $file, '<', '/etc/default/shop' or die; while (<$file>) { $listen = $1 if /^LISTEN=(\S+)/ }
my $socket = IO::Socket::INET->new(LocalAddr => $listen, Listen => 16, ReuseAddr => 1) or die "listen $listen: $!";
$SIG{PIPE} = 'IGNORE';
while (1) {
    # Whatever happens to one connection, the next is answered.
    my $client = $socket->accept or do { warn "accept: $!"; select undef, undef, undef, 0.1; next };
    setsockopt $client, SOL_SOCKET, SO_RCVTIMEO, pack 'l!l!', 5, 0;
    while (<$client>) { last if /^\r?$/ }
    my $body = "@ANSWER@\n";
    print $client "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    close $client;
}
PERL
    chmod 755 "$tree/usr/lib/shop/shopd"
    cat >"$tree/DEBIAN/prerm" <<'SH'
#!/bin/sh
start-stop-daemon --stop --quiet --oknodo --retry 3 --pidfile /run/shop.pid --remove-pidfile || :
SH
    cat >"$tree/DEBIAN/postinst" <<SH
#!/bin/sh
set -e
case \$1 in configure | abort-*) ;; *) exit 0 ;; esac
echo "\$1 $version" >>/var/log/shop
$postinst
[ -e /etc/default/shop ] || exit 0
start-stop-daemon --start --quiet --oknodo --background --output /var/log/shopd --make-pidfile --pidfile /run/shop.pid --startas /usr/lib/shop/shopd
SH
    build shop "$version" all "$@"
}

gate=': >/run/shop-at-gate; while [ -e /run/shop-closed ]; do sleep 0.1; done; seq 1 20000'
shop 1.0 'shop 1.0 ok' :
shop 1.1 'shop 1.1 ok' :
shop 1.1+fix1 'shop 1.1+fix1 ok' :
# Fails, and wants another out of its way, and a new one.
shop 1.2 'shop 1.2 ok' 'echo "the database can not be migrated" >&2; exit 1' 'Conflicts: shop-legacy' 'Depends: shop-new'
# Installs well, but does not work.
shop 1.3 'internal error' :
# Wants another out of its way.
shop 1.4 'shop 1.4 ok' : 'Conflicts: shop-legacy'
# Takes its time, and talks a lot.
shop 1.5 'shop 1.5 ok' "$gate"
# Asks whoever sits there.
# shellcheck disable=SC2016 # for the package
shop 1.6 'shop 1.6 ok' 'read answer </dev/tty; echo "answer: $answer"'

build shop-legacy 1.0 all
# On no host at the beginning.
build shop-new 2.0 all
for version in 1.0 1.1 1.2; do
    mkdir -p "$tree/usr/share/shop-tool"
    echo "$version" >"$tree/usr/share/shop-tool/version"
    build shop-tool "$version" "$native"
done
for version in 1.0 1.1; do
    mkdir -p "$tree/etc/shop" "$tree/DEBIAN"
    echo "greeting=$version" >"$tree/etc/shop/shop.conf"
    echo /etc/shop/shop.conf >"$tree/DEBIAN/conffiles"
    build shop-conf "$version" all
    # A question that has no answer.
    mkdir -p "$tree/DEBIAN"
    printf 'Template: shop-question/name\nType: string\nDescription: Name of the shop %s?\n' "$version" >"$tree/DEBIAN/templates"
    printf '#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_fset shop-question/name seen false\ndb_input critical shop-question/name || :\ndb_go || :\n' >"$tree/DEBIAN/config"
    printf '#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_get shop-question/name\n' >"$tree/DEBIAN/postinst"
    build shop-question "$version" all 'Depends: debconf'
done
