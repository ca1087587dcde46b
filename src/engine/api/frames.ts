/** Docker's multiplexed stream: {stream, 0, 0, 0, size as big-endian u32}, then the bytes. */
import type { StreamName } from '../runtime/logs/spool.ts'

const numbers: Record<StreamName | 'error', number> = { stdout: 1, stderr: 2, error: 3 }

export function frame(stream: StreamName | 'error', data: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(8 + data.length)
  framed.writeUInt32BE(numbers[stream] * 0x1000000, 0)
  framed.writeUInt32BE(data.length, 4)
  data.copy(framed, 8)
  return framed
}

/** The media type of such a stream, which clients before 1.42 did not know. */
export function streamType(terminal: boolean, apiVersion: number): string {
  return terminal || apiVersion < 1.42
    ? 'application/vnd.docker.raw-stream'
    : 'application/vnd.docker.multiplexed-stream'
}
