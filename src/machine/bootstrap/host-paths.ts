/**
 * Every file that the bootstrap puts on a host, with its meaning. docs/files.md says the same to people.
 */
export const hostPaths = {
  /** All of ours that is program. */
  root: '/opt/tsmachine',
  /** Parts of bundles by the SHA-256 of their content; shared by bundles that differ in other parts. */
  blobs: '/opt/tsmachine/blobs',
  /** One folder a bundle, by its digest: node, tshost.mjs, koffi.node, as hard links to blobs. */
  bundles: '/opt/tsmachine/bundles',
  /** The engine's certificates and start script. */
  config: '/etc/tshost',
  ca: '/etc/tshost/ca.pem',
  cert: '/etc/tshost/server.pem',
  key: '/etc/tshost/server-key.pem',
  /** Runs the engine in the foreground; what an init entry or a detached start calls. */
  start: '/etc/tshost/start',
  /** Where there is systemd. */
  unit: '/etc/systemd/system/tshost.service',
  inittab: '/etc/inittab',
  /** Where there is no journal. */
  log: '/var/log/tshost.log',
  pidFile: '/run/tshost.pid',
  socket: '/var/run/docker.sock',
  dataRoot: '/var/lib/tshost',
  execRoot: '/var/run/tshost',
} as const
