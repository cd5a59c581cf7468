#!/bin/sh
# Keeps a program registered, as somebody would who has nothing but curl:
#   keep-registered.sh URL-OF-INSTANCE REGISTRATION
while :; do
    status=$(curl -q -s -o /dev/null -w '%{http_code}' -X POST "$1/heartbeat")
    if [ "$status" = 404 ]; then
        curl -q -s -o /dev/null -X PUT -d "$2" "$1"
    fi
    sleep 1
done
