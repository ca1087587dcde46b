/**
 * A manager in a process of its own, for tests that stop or kill it: `node swarm-manager-process.ts FOLDER PORT`.
 * Begins a swarm, or takes up the one that is in the folder; prints a line of JSON with the join token.
 */
import { joinToken } from '../../src/swarm/ca/token.ts'
import { systemContext } from '../../src/swarm/context.ts'
import { startSwarmNode } from '../../src/swarm/node.ts'
import { FakeEngine } from './fake-engine.ts'
import { serveSwarmApi } from './swarm-api.ts'

const [folder, port] = process.argv.slice(2) as [string, string]
const node = await startSwarmNode({ folder, engine: new FakeEngine('m1'), context: systemContext() })
if (node.state === 'inactive')
  await node.init({ listenAddr: `127.0.0.1:${port}`, advertiseAddr: `127.0.0.1:${port}` })
const { replica } = node.manager.database
const secrets = replica.get('secrets', 'cluster')!
const { socket } = await serveSwarmApi(node)
const token = joinToken(replica.get('cluster', 'cluster')!.RootCert, secrets.WorkerToken)
console.log(JSON.stringify({ token, socket }))
