#!/bin/sh
':' //; bin=$0; [ -L "$bin" ] && bin=$(readlink -f "$bin"); exec "${bin%/*}/node.sh" "$bin" "$@"
import { launch } from './launch.js'

launch('tsmachine')
