#!/bin/sh
# Starts and stops the shop: service start|stop. Both may be asked twice.
cd "$(dirname "$0")" || exit 1
alive() { [ -s pid ] && kill -0 "$(cat pid)" 2>/dev/null; }

case ${1-} in
start)
    alive && exit 0
    setsid "@TURNUS@" demo --serve "$PWD" </dev/null >service.log 2>&1 &
    echo $! >pid
    ;;
stop)
    alive || exit 0
    kill "$(cat pid)"
    while alive; do sleep 0.1; done
    rm -f pid
    ;;
*)
    echo "usage: service start|stop" >&2
    exit 2
    ;;
esac
