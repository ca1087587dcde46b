import { parentPort, workerData } from 'node:worker_threads'
import { runServer, type ServerOptions } from './server-loop.ts'

runServer(workerData as ServerOptions, parentPort!)
