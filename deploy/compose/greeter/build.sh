#!/bin/sh
# directcd runs `build.sh build`, then `build.sh artifact`, whose last line names the result.
set -eu
case $1 in
build)
    mkdir -p out
    sed "s/@COMMIT@/$DIRECTCD_COMMIT/" greeter.py >out/greeter
    chmod +x out/greeter
    ;;
artifact)
    echo out/greeter
    ;;
esac
