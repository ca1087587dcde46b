import { parentPort, workerData } from 'node:worker_threads'
import { type ClientOptions, runClient } from './client-loop.ts'

runClient(workerData as ClientOptions, parentPort!)
