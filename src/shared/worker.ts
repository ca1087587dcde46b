import { extname } from 'node:path'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * Starts a worker thread whose code is a module beside the caller: in the sources, in the built package, and in
 * the engine's bundle, where the workers are files beside the one that holds all else.
 * @param role the module's name without its extension, e.g. "poll-thread"
 * @param callerUrl the caller's import.meta.url
 */
export function openWorker(role: string, callerUrl: string, options: WorkerOptions = {}): Worker {
  const url = new URL(`./${role}${extname(callerUrl)}`, callerUrl)
  // Descriptors are handed from thread to thread here, which Node's tracking would warn of.
  return new Worker(url, { trackUnmanagedFds: false, ...options, name: role })
}
